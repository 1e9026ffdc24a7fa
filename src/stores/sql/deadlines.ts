import type { StoreError } from '../contract.ts'

/**
 * A call is told so much after its deadline, at the latest, whatever it waits for;
 * most of what waits ends by itself before, and knows better how.
 */
const GRACE_MS = 400
const LOOK_EVERY_MS = 100

interface Waiting {
  readonly until: number
  readonly leave: () => void
}

/** Lets calls leave whose deadline is over while the database keeps them waiting. One timer looks after all. */
export class Deadlines {
  readonly #waiting = new Set<Waiting>()
  #timer: NodeJS.Timeout | null = null

  /** `late` says, at that moment, what the caller is told. Without a deadline the work is waited for. */
  async within<T>(deadline: number | null, work: Promise<T>, late: () => StoreError): Promise<T> {
    if (deadline === null) return await work
    const { promise, reject } = Promise.withResolvers<never>()
    const waiting: Waiting = { until: deadline + GRACE_MS, leave: () => reject(late()) }
    this.#waiting.add(waiting)
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
    try {
      return await Promise.race([work, promise])
    } finally {
      this.#waiting.delete(waiting)
    }
  }

  #look(): void {
    const now = Date.now()
    for (const waiting of this.#waiting) if (waiting.until <= now) waiting.leave()
    if (this.#waiting.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
