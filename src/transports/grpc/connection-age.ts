import { FLUSH_MS } from '../shutdown.ts'

/** The limits of a connection's age. Times are in milliseconds. */
export interface AgeLimits {
  /** After this time, a connection is asked to end (GOAWAY), so that load spreads over new instances. */
  readonly maxConnectionAgeMs: number
  /** How long the calls of a connection may run after it was asked to end. */
  readonly maxConnectionAgeGraceMs: number
}

/** The part of a connection that its age concerns. */
export interface AgingConnection {
  /** Whether the connection was asked to end, or is closed. */
  readonly ending: boolean
  /** Asks the connection to end when its calls have ended. `reason` is sent as debug data. */
  goAway(reason?: string): void
  /** Answers the calls that still run on the connection, and aborts them. */
  expireCalls(): void
  destroy(): void
}

/** The variation of the connections' age as a fraction, so that clients do not all reconnect together. */
const AGE_JITTER = 0.1

/**
 * Limits the age of a connection. It is asked to end (GOAWAY) when it is old enough. It ends when its calls have ended or
 * their grace period is over.
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

  /** Aborted when the connection is asked to end. Created at the first read: only long-running calls use it. */
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

  /** Call this when the connection is closed. */
  closed(): void {
    clearTimeout(this.#timer)
    this.#ends?.abort()
  }

  #maxAgeReached(): void {
    // Calls on a connection that was idle, or that its peer ended first, get the same grace period as on any other connection.
    if (this.#connection.ending) this.#ends?.abort()
    else this.goAway('max_age')
    this.#timer = setTimeout(() => this.#graceExpired(), this.#graceMs).unref()
  }

  #graceExpired(): void {
    this.#connection.expireCalls()
    this.#timer = setTimeout(() => this.#connection.destroy(), FLUSH_MS).unref()
  }
}
