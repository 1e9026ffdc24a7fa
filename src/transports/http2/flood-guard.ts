import { ConnectionError, ErrorCode } from './error-codes.ts'
import { RateBudget } from './rate-budget.ts'

/** The number of pings that may come too early: a client may miscount, or measure the path. */
const PING_STRIKES = 2

/**
 * Counts events that cost the server work and the peer nothing. Each kind has a budget far beyond the use of honest clients.
 * A peer that exceeds it loses the connection (ENHANCE_YOUR_CALM). RFC 9113 §10.5 describes the risk, and the CVE numbers
 * below the attacks.
 */
export class FloodGuard {
  /**
   * Streams that ended before their answer: cancelled by the peer (CVE-2023-44487, rapid reset), ended by the server because
   * of frames of the peer (CVE-2025-8671, MadeYouReset), or refused beyond the limit.
   */
  readonly #resets = new RateBudget(1_000, 50)
  /** SETTINGS: each one is acknowledged and may change every stream (CVE-2019-9515). */
  readonly #settings = new RateBudget(50, 1)
  /**
   * Frames without effect: PING (CVE-2019-9512), PRIORITY (CVE-2019-9513), WINDOW_UPDATE, empty DATA (CVE-2019-9518), frames
   * of unknown types, and frames on ended streams. Frames that the server sends refill the budget in part.
   */
  readonly #frames = new RateBudget(5_000, 500)
  readonly #minPingIntervalMs: number
  #now = 0
  #pingAt = Number.NEGATIVE_INFINITY
  #pingStrikes = 0

  constructor(minPingIntervalMs: number) {
    this.#minPingIntervalMs = minPingIntervalMs
  }

  /** Sets the time of the following events, in milliseconds of a monotonic clock. */
  at(now: number): void {
    this.#now = now
  }

  /** @throws ConnectionError */
  streamReset(): void {
    if (!this.#resets.take(this.#now)) throw flood('too many streams end before they are answered')
  }

  /** @throws ConnectionError */
  settings(): void {
    if (!this.#settings.take(this.#now)) throw flood('too many SETTINGS')
  }

  /** @throws ConnectionError */
  idleFrame(): void {
    if (!this.#frames.take(this.#now)) throw flood('too many frames that move nothing')
  }

  /**
   * Returns false if the peer pings too often. Between two pings, either a minimum time must pass, or HEADERS or DATA must
   * have been sent to the peer. @throws ConnectionError
   */
  ping(): boolean {
    this.idleFrame()
    const early = this.#now - this.#pingAt < this.#minPingIntervalMs
    this.#pingAt = this.#now
    if (early) this.#pingStrikes += 1
    return this.#pingStrikes <= PING_STRIKES
  }

  /** HEADERS or DATA are sent to the peer. It may then send WINDOW_UPDATE, and PING to measure the round trip. */
  sent(): void {
    this.#frames.give(4)
    this.#pingStrikes = 0
    this.#pingAt = Number.NEGATIVE_INFINITY
  }

  /** A request was answered completely. */
  answered(): void {
    this.#resets.give(1)
  }
}

function flood(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, what)
}
