/** RFC 8628 §3.2: the default interval. */
const DEFAULT_MS = 5_000
/** The minimum interval, whatever the server requests. */
const SHORTEST_MS = 1_000
/** A Node.js timer of more than 2^31 - 1 ms fires at once. */
const LONGEST_MS = 3_600_000
/** RFC 8628 §3.5: the increase of the interval after `slow_down`. */
const SLOW_DOWN_MS = 5_000

/**
 * The wait of a device before each poll (RFC 8628 §3.5). The server's values may be invalid. The package @qscope/client
 * has its own implementation: neither imports the other, and one test covers both.
 */
export class PollPace {
  #waitMs: number

  /** `intervalMs`: the server's interval; `null`: none. An invalid interval, such as 0, counts as none. */
  constructor(intervalMs: number | null) {
    this.#waitMs = intervalMs === null || !(intervalMs > 0) ? DEFAULT_MS : bounded(intervalMs)
  }

  /** In ms, from 1 s to 1 h. */
  get waitMs(): number {
    return this.#waitMs
  }

  /** After `slow_down` all further polls wait 5 s longer, or as long as the server requests if that is more. */
  slowDown(retryAfterMs: number | null): void {
    this.#waitMs = bounded(Math.max(this.#waitMs + SLOW_DOWN_MS, retryAfterMs ?? 0))
  }

  /**
   * After an unreachable or overloaded server the wait doubles (RFC 8628 §3.5, exponential backoff), or is as long as
   * the server requests if that is more.
   */
  backOff(retryAfterMs: number | null): void {
    this.#waitMs = bounded(Math.max(this.#waitMs * 2, retryAfterMs ?? 0))
  }
}

function bounded(ms: number): number {
  return Math.min(Math.max(ms, SHORTEST_MS), LONGEST_MS)
}
