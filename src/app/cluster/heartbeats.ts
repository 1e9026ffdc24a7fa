/** How often a worker sends a heartbeat, and the primary checks for it. */
export const HEARTBEAT_INTERVAL_MS = 1_000
/** A worker without a heartbeat in this many checks counts as hung. No garbage collection takes that long. */
export const MAX_MISSED = 30
/** The same limit for a worker that is still loading its program, which takes minutes on a busy machine. */
export const MAX_MISSED_AT_START = 300

/**
 * Decides whether one worker hangs. It counts the checks of the primary and reads
 * no clock: while the machine sleeps, or the primary is stopped or busy, there are
 * no checks, so no heartbeat counts as missed.
 */
export class Heartbeats {
  #missed = 0
  #lastBeatAt: number

  constructor(now: number) {
    this.#lastBeatAt = now
  }

  /** Records a sign of life. */
  beat(now: number): void {
    this.#missed = 0
    this.#lastBeatAt = now
  }

  /** Records a check of the primary; returns whether the worker hangs. */
  check(isLoading: boolean): boolean {
    this.#missed += 1
    return this.#missed > (isLoading ? MAX_MISSED_AT_START : MAX_MISSED)
  }

  /** Whether the last heartbeat is recent. One missed check is normal: it may come just before the next heartbeat. */
  get isAlive(): boolean {
    return this.#missed <= 2
  }

  get lastBeatAt(): number {
    return this.#lastBeatAt
  }
}
