import type { PoolLoad } from '../../contract/backend.ts'
import type { StoreContext } from '../../contract/context.ts'
import { StoreError } from '../../contract/errors.ts'
import { retryUntil } from '../core/retry.ts'

/** The properties of a call that limit its wait for a connection. */
type WaitLimits = Pick<StoreContext, 'signal' | 'deadline'>

interface Waiter<Connection> {
  readonly enter: (connection: Connection) => void
}

/** Lends connections to one user at a time, first come, first served. */
export class ConnectionPool<Connection> {
  readonly #connections: readonly Connection[]
  readonly #free: Connection[]
  readonly #maxWaiting: number
  readonly #waiting = new Set<Waiter<Connection>>()
  #closed = false

  constructor(connections: readonly Connection[], maxWaiting: number) {
    this.#connections = connections
    this.#free = connections.toReversed()
    this.#maxWaiting = maxWaiting
  }

  get load(): PoolLoad {
    const { length: size } = this.#connections
    return { size, used: size - this.#free.length, waiting: this.#waiting.size }
  }

  /**
   * Runs `work` with a connection. A call leaves the queue when it is cancelled or its deadline passes. Its signal is read
   * only if there is a queue. `null`: waits without a limit.
   */
  async use<T>(ctx: WaitLimits | null, work: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('unavailable', 'the database is closing')
    // The most recently used connection is open and has its statements prepared.
    const connection = this.#free.pop() ?? (await this.#wait(ctx))
    try {
      return await work(connection)
    } finally {
      this.#giveBack(connection)
    }
  }

  /** Lets queued calls finish and rejects new ones. */
  async close(): Promise<void> {
    if (this.#closed) return
    const all = this.#connections.map(() => this.use(null, () => Promise.resolve()))
    this.#closed = true
    await Promise.all(all)
  }

  #giveBack(connection: Connection): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free.push(connection)
      return
    }
    this.#waiting.delete(next)
    next.enter(connection)
  }

  #wait(ctx: WaitLimits | null): Promise<Connection> {
    if (this.#waiting.size >= this.#maxWaiting && !this.#closed) {
      throw new StoreError('unavailable', `more than ${this.#maxWaiting} calls are waiting for a database connection`)
    }
    const signal = ctx?.signal ?? null
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Connection>()
    const leave = (reason: unknown) => {
      this.#waiting.delete(waiter)
      stopWaiting()
      reject(reason)
    }
    const cancelled = () => leave(signal?.reason)
    const timer =
      ctx === null
        ? null
        : setTimeout(
            () => leave(new StoreError('unavailable', 'no database connection became free in time')),
            Math.max(0, retryUntil(ctx) - Date.now()),
          )
    // The signal may outlive the call.
    const stopWaiting = () => {
      signal?.removeEventListener('abort', cancelled)
      if (timer !== null) clearTimeout(timer)
    }
    const waiter: Waiter<Connection> = {
      enter: (connection) => {
        stopWaiting()
        resolve(connection)
      },
    }
    signal?.addEventListener('abort', cancelled, { once: true })
    this.#waiting.add(waiter)
    return promise
  }
}
