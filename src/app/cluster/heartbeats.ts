/** How often a worker says that its event loop turns, and the primary looks whether it did. */
export const BEAT_MS = 1_000
/** A worker that was not heard of in so many looks hangs. No collection of garbage takes that long. */
export const MOST_MISSED = 30
/** The same for one that is still loading its program: a busy machine may take minutes. */
export const MOST_MISSED_AT_START = 300

/**
 * Judges whether one worker hangs. It counts the looks of the primary and reads
 * no clock: while the machine sleeps, or the primary is stopped or busy, nobody
 * looks, so nobody is missed.
 */
export class Heartbeats {
  #missed = 0
  #lastHeardAt: number

  constructor(now: number) {
    this.#lastHeardAt = now
  }

  /** Notes a sign of life. */
  heard(now: number): void {
    this.#missed = 0
    this.#lastHeardAt = now
  }

  /** Notes a look of the primary; returns whether the worker hangs. */
  looked(isLoading: boolean): boolean {
    this.#missed += 1
    return this.#missed > (isLoading ? MOST_MISSED_AT_START : MOST_MISSED)
  }

  /** Whether it was heard of lately: one look may come just before the next beat. */
  get isAlive(): boolean {
    return this.#missed <= 2
  }

  get lastHeardAt(): number {
    return this.#lastHeardAt
  }
}
