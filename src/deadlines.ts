/**
 * A call is let go so much after its deadline, at the latest, whatever it waits for;
 * most of what waits ends by itself before, and knows better how.
 */
const GRACE_MS = 400
const LOOK_EVERY_MS = 100

interface Waiting {
  readonly until: number
  readonly leave: () => void
}

/** Lets calls leave whose deadline is over while something keeps them waiting. One timer looks after all. */
export class Deadlines {
  readonly #waiting = new Set<Waiting>()
  #timer: NodeJS.Timeout | null = null

  /**
   * The work, as long as it is waited for; it goes on beyond that, and nobody
   * hears of it. `late` says, at that moment, what the caller is told. Without a
   * deadline the work is waited for to its end.
   */
  within<T>(deadline: number | null, work: Promise<T>, late: () => Error): Promise<T> {
    if (deadline === null) return work
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const waiting: Waiting = {
      until: deadline + GRACE_MS,
      leave: () => {
        this.#waiting.delete(waiting)
        reject(late())
      },
    }
    this.#waiting.add(waiting)
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
    work.then(
      (value) => {
        this.#waiting.delete(waiting)
        resolve(value)
      },
      (error: unknown) => {
        this.#waiting.delete(waiting)
        reject(error)
      },
    )
    return promise
  }

  #look(): void {
    const now = Date.now()
    for (const waiting of this.#waiting) if (waiting.until <= now) waiting.leave()
    if (this.#waiting.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
