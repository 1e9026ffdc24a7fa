/** Above what the look-ups take on a database that is not overloaded. */
const FAILURE_DELAY_MS = 5

/**
 * Refusals are answered no sooner than 5 ms after the call began. A client that
 * exists costs some rows more to read than one that does not, and the difference
 * must not tell them apart. The timer starts before the look-ups, so that their
 * duration does not show in when it ends. Successful calls are not delayed.
 */
export class UniformFailureDelay {
  #startedAt = Number.NaN
  #due: Promise<void> = Promise.resolve()

  /** Resolves when a refusal may be answered. Calls that start in the same millisecond share a timer. */
  start(): Promise<void> {
    const now = Math.floor(performance.now())
    if (now !== this.#startedAt) {
      this.#startedAt = now
      this.#due = new Promise((resolve) => setTimeout(resolve, FAILURE_DELAY_MS))
    }
    return this.#due
  }
}
