/**
 * Lets the calls of one turn of the event loop go through the same steps at the
 * same time. What they ask of the database then travels together, and the
 * processor finds the code of a step still in its cache.
 *
 * A server has one, which its transports and its stores share.
 */
export class BatchScheduler {
  /** Whether all who are about to ask do so before the next tick. */
  #asking = false
  #beginning: (() => void)[] = []

  /** Begins a call with all others that arrive in this turn, once everything that was received is read. */
  startTogether(begin: () => void): void {
    if (this.#beginning.length === 0) setImmediate(this.#beginAll)
    this.#beginning.push(begin)
  }

  /** Sends a batch when all have asked who are about to: now or, where callers resume, after the last of them. */
  schedule(send: () => void): void {
    if (this.#asking) process.nextTick(send)
    else setImmediate(send)
  }

  /** Says that callers resume with an answer now; what they ask next, they ask before anything else is received. */
  callersResume(): void {
    if (this.#asking) return
    this.#asking = true
    // Ticks come after everything that promises have to do.
    process.nextTick(this.#stopAsking)
  }

  /** A `begin` must not throw: it would keep the others from beginning. */
  readonly #beginAll = (): void => {
    const all = this.#beginning
    this.#beginning = []
    this.#asking = true
    for (const begin of all) begin()
    this.#asking = false
  }

  readonly #stopAsking = (): void => {
    this.#asking = false
  }
}
