import type { PoolLoad } from '../../contract/backend.ts'
import type { StoreContext } from '../../contract/context.ts'
import { StoreError } from '../../contract/errors.ts'
import { patienceOf } from '../core/retry.ts'

/** What of a call decides how long it waits in line. */
type Patience = Pick<StoreContext, 'signal' | 'deadline'>

interface Waiter<Slot> {
  readonly enter: (slot: Slot) => void
}

/** Hands out what one user at a time may have, such as a connection: first come, first served. */
export class ConnectionPool<Slot> {
  readonly #slots: readonly Slot[]
  readonly #free: Slot[]
  readonly #maxWaiting: number
  readonly #waiting = new Set<Waiter<Slot>>()
  #closed = false

  constructor(slots: readonly Slot[], maxWaiting: number) {
    this.#slots = slots
    this.#free = slots.toReversed()
    this.#maxWaiting = maxWaiting
  }

  get load(): PoolLoad {
    const { length: size } = this.#slots
    return { size, used: size - this.#free.length, waiting: this.#waiting.size }
  }

  /**
   * Runs `work` with a slot. A call leaves the line when it is cancelled or its
   * patience ends; its signal is read only if there is a line. With `null` the
   * line is waited for to its end.
   */
  async use<T>(ctx: Patience | null, work: (slot: Slot) => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('unavailable', 'the database is being closed')
    // The one used last, whose connection is open and has its statements prepared.
    const slot = this.#free.pop() ?? (await this.#wait(ctx))
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

  #giveBack(slot: Slot): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free.push(slot)
      return
    }
    this.#waiting.delete(next)
    next.enter(slot)
  }

  #wait(ctx: Patience | null): Promise<Slot> {
    if (this.#waiting.size >= this.#maxWaiting && !this.#closed) {
      throw new StoreError('unavailable', `more than ${this.#maxWaiting} calls wait for a connection to the database`)
    }
    const signal = ctx?.signal ?? null
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Slot>()
    const leave = (reason: unknown) => {
      this.#waiting.delete(waiter)
      stopWaiting()
      reject(reason)
    }
    const cancelled = () => leave(signal?.reason)
    const tired =
      ctx === null
        ? null
        : setTimeout(
            () => leave(new StoreError('unavailable', 'no connection to the database became free in time')),
            Math.max(0, patienceOf(ctx) - Date.now()),
          )
    // The signal may be one that outlives the call.
    const stopWaiting = () => {
      signal?.removeEventListener('abort', cancelled)
      if (tired !== null) clearTimeout(tired)
    }
    const waiter: Waiter<Slot> = {
      enter: (slot) => {
        stopWaiting()
        resolve(slot)
      },
    }
    signal?.addEventListener('abort', cancelled, { once: true })
    this.#waiting.add(waiter)
    return promise
  }
}
