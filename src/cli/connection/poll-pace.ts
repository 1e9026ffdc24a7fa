/** RFC 8628 §3.2: the interval of a server that names none. */
const DEFAULT_MS = 5_000
/** No server is asked more often, whatever it says. */
const SHORTEST_MS = 1_000
/** A timer of Node.js that should run for longer than 2^31 - 1 ms runs at once. */
const LONGEST_MS = 3_600_000
/** RFC 8628 §3.5: what each further poll waits longer after `slow_down`. */
const SLOW_DOWN_MS = 5_000

/**
 * How long a device waits before each poll (RFC 8628 §3.5). A server says it, and may say what is no pace.
 * The package @qscope/client has its own: neither imports the other, and one test holds both.
 */
export class PollPace {
  #waitMs: number

  /** `intervalMs`: what the server said; `null`: nothing. An interval that is none, such as 0, counts as nothing said. */
  constructor(intervalMs: number | null) {
    this.#waitMs = intervalMs === null || !(intervalMs > 0) ? DEFAULT_MS : bounded(intervalMs)
  }

  /** In ms, from 1 s to 1 h. */
  get waitMs(): number {
    return this.#waitMs
  }

  /** The server answered `slow_down`: all further polls come 5 s later, or when it says, if that is later still. */
  slowDown(retryAfterMs: number | null): void {
    this.#waitMs = bounded(Math.max(this.#waitMs + SLOW_DOWN_MS, retryAfterMs ?? 0))
  }

  /**
   * The server could not be reached, or has too much to do: twice the wait (RFC 8628 §3.5, exponential backoff), or what
   * it says, if that is longer.
   */
  backOff(retryAfterMs: number | null): void {
    this.#waitMs = bounded(Math.max(this.#waitMs * 2, retryAfterMs ?? 0))
  }
}

function bounded(ms: number): number {
  return Math.min(Math.max(ms, SHORTEST_MS), LONGEST_MS)
}
