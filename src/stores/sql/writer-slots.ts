import type { Kysely } from 'kysely'
import { type StoreContext, StoreError } from '../contract.ts'
import type { AuditChain } from './audit-chain.ts'
import type { Writer } from './dialect.ts'
import type { Database } from './schema.ts'

/** A writer, with what belongs to it alone. */
export interface WriterSlot {
  readonly writer: Writer
  /** Kysely inside the writer's transaction. */
  readonly db: Kysely<Database>
  readonly chain: AuditChain
  /** The first failure of a statement in the transaction that runs: it must not commit. */
  failure: unknown
}

interface Waiter {
  readonly enter: (slot: WriterSlot) => void
  readonly refuse: (error: unknown) => void
}

/** Hands out writers, each to one user at a time, first come, first served. */
export class WriterSlots {
  readonly #slots: readonly WriterSlot[]
  readonly #free: WriterSlot[]
  readonly #maxWaiting: number
  readonly #waiting = new Set<Waiter>()
  #closed = false

  constructor(slots: readonly WriterSlot[], maxWaiting: number) {
    this.#slots = slots
    this.#free = [...slots]
    this.#maxWaiting = maxWaiting
  }

  /** Runs `work` with a writer. `ctx` may take the wait back until it is over; its signal is read only if there is one. */
  async use<T>(ctx: Pick<StoreContext, 'signal'> | null, work: (slot: WriterSlot) => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('unavailable', 'the database is being closed')
    const slot = this.#free.shift() ?? (await this.#wait(ctx))
    slot.failure = null
    try {
      return await work(slot)
    } finally {
      this.#giveBack(slot)
    }
  }

  /** Lets those in line finish, and refuses newcomers. */
  async close(): Promise<void> {
    if (this.#closed) return
    const all = this.#slots.map(() => this.use(null, () => Promise.resolve()))
    this.#closed = true
    await Promise.all(all)
  }

  #giveBack(slot: WriterSlot): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free.push(slot)
      return
    }
    this.#waiting.delete(next)
    next.enter(slot)
  }

  #wait(ctx: Pick<StoreContext, 'signal'> | null): Promise<WriterSlot> {
    if (this.#waiting.size >= this.#maxWaiting) {
      throw new StoreError('unavailable', `more than ${this.#maxWaiting} calls wait to write`)
    }
    const signal = ctx?.signal ?? null
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<WriterSlot>()
    const waiter: Waiter = {
      enter: (slot) => {
        signal?.removeEventListener('abort', leave)
        resolve(slot)
      },
      refuse: reject,
    }
    const leave = () => {
      this.#waiting.delete(waiter)
      waiter.refuse(signal?.reason)
    }
    signal?.addEventListener('abort', leave, { once: true })
    this.#waiting.add(waiter)
    return promise
  }
}
