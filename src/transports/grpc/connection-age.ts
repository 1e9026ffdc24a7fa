import { FLUSH_MS } from '../shutdown.ts'

/** How long a connection may live. Times are milliseconds. */
export interface AgeLimits {
  /** After this a connection is asked to end (GOAWAY), so that load spreads over new instances. */
  readonly maxConnectionAgeMs: number
  /** How long the calls of a connection that was asked to end may take. */
  readonly maxConnectionAgeGraceMs: number
}

/** A connection as far as its age goes. */
export interface AgingConnection {
  /** Whether it was asked to end, or is gone. */
  readonly ending: boolean
  /** Asks it to end when its calls have ended; `reason` goes along as debug data. */
  goAway(reason?: string): void
  /** Answers the calls that still run on it, and aborts them. */
  expireCalls(): void
  destroy(): void
}

/** The age of connections differs by so much, so that they do not all come back together. */
const AGE_JITTER = 0.1

/**
 * The age of a connection: it is asked to end (GOAWAY) when it is old enough, and ends
 * when its calls have ended or their grace is over.
 */
export class ConnectionAge {
  readonly #connection: AgingConnection
  readonly #graceMs: number
  #ends: AbortController | null = null
  #timer: NodeJS.Timeout

  /** `jitter`: a number in [0, 1). */
  constructor(connection: AgingConnection, limits: AgeLimits, jitter: number) {
    this.#connection = connection
    this.#graceMs = limits.maxConnectionAgeGraceMs
    const ageMs = limits.maxConnectionAgeMs * (1 + AGE_JITTER * (2 * jitter - 1))
    this.#timer = setTimeout(() => this.#maxAgeReached(), ageMs).unref()
  }

  /** Aborted when the connection is asked to end. Made when first read: only calls that last look at it. */
  get ends(): AbortSignal {
    if (this.#ends === null) {
      this.#ends = new AbortController()
      if (this.#connection.ending) this.#ends.abort()
    }
    return this.#ends.signal
  }

  /** Asks the connection to end when its last call has ended. */
  goAway(reason?: string): void {
    this.#connection.goAway(reason)
    this.#ends?.abort()
  }

  /** To be called when the connection is gone. */
  closed(): void {
    clearTimeout(this.#timer)
    this.#ends?.abort()
  }

  #maxAgeReached(): void {
    // What still runs on a connection that was idle, or that its peer ended first, has no longer than on any other.
    if (this.#connection.ending) this.#ends?.abort()
    else this.goAway('max_age')
    this.#timer = setTimeout(() => this.#graceExpired(), this.#graceMs).unref()
  }

  #graceExpired(): void {
    this.#connection.expireCalls()
    this.#timer = setTimeout(() => this.#connection.destroy(), FLUSH_MS).unref()
  }
}
