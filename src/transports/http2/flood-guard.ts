import { ConnectionError, ErrorCode } from './error-codes.ts'
import { RateBudget } from './rate-budget.ts'

/** So many pings too early are forgiven: a client may have lost count, or measure the path. */
const PING_STRIKES = 2

/**
 * Counts what costs a server work and a peer nothing. Each kind has a budget, far beyond what honest clients do; a peer that
 * overdraws it loses the connection (ENHANCE_YOUR_CALM). RFC 9113 §10.5 names the risk, and these the attacks.
 */
export class FloodGuard {
  /**
   * Streams that ended before their answer: cancelled by the peer (CVE-2023-44487, rapid reset), ended by the server for
   * what the peer sent on them (CVE-2025-8671, MadeYouReset), or refused beyond the limit.
   */
  readonly #resets = new RateBudget(1_000, 50)
  /** SETTINGS, each of which is answered and may change every stream (CVE-2019-9515). */
  readonly #settings = new RateBudget(50, 1)
  /**
   * Frames that move nothing: PING (CVE-2019-9512), PRIORITY (CVE-2019-9513), WINDOW_UPDATE, empty DATA (CVE-2019-9518),
   * frames of unknown types and on streams that have ended. What the server sends gives some back.
   */
  readonly #frames = new RateBudget(5_000, 500)
  readonly #minPingIntervalMs: number
  #now = 0
  #pingAt = Number.NEGATIVE_INFINITY
  #pingStrikes = 0

  constructor(minPingIntervalMs: number) {
    this.#minPingIntervalMs = minPingIntervalMs
  }

  /** What follows happens at this time, in milliseconds of any clock that never goes back. */
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
   * Answers false where the peer pings more often than it may. Between pings so much time must pass, or something of use
   * must have been sent to the peer. @throws ConnectionError
   */
  ping(): boolean {
    this.idleFrame()
    const early = this.#now - this.#pingAt < this.#minPingIntervalMs
    this.#pingAt = this.#now
    if (early) this.#pingStrikes += 1
    return this.#pingStrikes <= PING_STRIKES
  }

  /** HEADERS or DATA are sent to the peer: it may ask for more of them, and ping to see how long they take. */
  sent(): void {
    this.#frames.give(4)
    this.#pingStrikes = 0
    this.#pingAt = Number.NEGATIVE_INFINITY
  }

  /** A request was answered in full. */
  answered(): void {
    this.#resets.give(1)
  }
}

function flood(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, what)
}
