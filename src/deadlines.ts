/**
 * A call that waits ends at most this long after its deadline. Most of what a call
 * waits for ends by itself before, with a better reason.
 */
const GRACE_MS = 400
const CHECK_EVERY_MS = 100

interface Waiting {
  readonly until: number
  readonly leave: () => void
}

/** Thrown where a call stops because its deadline has passed. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError'
}

/** Ends the waiting of calls whose deadline has passed. One timer serves all of them. */
export class Deadlines {
  readonly #waiting = new Set<Waiting>()
  #timer: NodeJS.Timeout | null = null

  /**
   * Resolves as the work does, or rejects with what `late` returns soon after the
   * deadline. The work goes on after that, and its outcome is ignored. Without a
   * deadline this waits for the end of the work.
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
    this.#timer ??= setInterval(() => this.#check(), CHECK_EVERY_MS).unref()
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

  #check(): void {
    const now = Date.now()
    for (const waiting of this.#waiting) if (waiting.until <= now) waiting.leave()
    if (this.#waiting.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
