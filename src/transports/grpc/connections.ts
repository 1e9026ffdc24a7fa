import { constants, type Http2Session } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import { http2ServersOf, sessionOf } from './grpc-js-internals.ts'

/** How long a connection may live and be silent. Times are milliseconds. */
export interface ConnectionLimits {
  /** After this a connection is asked to go, so that load spreads over new instances. */
  readonly maxConnectionAgeMs: number
  /** How long the calls of a connection that was asked to go may take to end. */
  readonly maxConnectionAgeGraceMs: number
  /** How often a peer is pinged, and how long it may take to answer. */
  readonly keepaliveTimeMs: number
  readonly keepaliveTimeoutMs: number
}

/** Answers what still runs on a connection, or on all of them, and aborts it. */
export type GiveUp = (session: Http2Session | null) => void

/** How long answers that were given at the end of the grace may take to leave. */
export const LEAVE_MS = 1_000
/** The age of connections differs by so much, so that they do not all come back together. */
const AGE_JITTER = 0.1
const GREATEST_STREAM_ID = 2 ** 31 - 1
const MAX_AGE = Buffer.from('max_age')

/**
 * The connections of a gRPC server: each is pinged, is asked to go when it is old
 * enough, and ends when its calls have ended. grpc-js could do that too, but its
 * pings destroy a connection that was asked to go: Node.js sends none on it any
 * more, which grpc-js takes for a dead peer.
 */
export class Connections {
  readonly #limits: ConnectionLimits
  /** A number in [0, 1). */
  readonly #jitter: () => number
  readonly #open = new Map<Http2Session, Connection>()
  readonly #giveUps: GiveUp[] = []

  constructor(limits: ConnectionLimits, jitter: () => number) {
    this.#limits = limits
    this.#jitter = jitter
  }

  /** To be called when the server is bound. */
  follow(server: Server): void {
    for (const http2Server of http2ServersOf(server)) http2Server.on('session', (session) => this.#opened(session))
  }

  /** Calls back when a connection's grace is over, and when that of all is: then with `null`. */
  onGivingUp(giveUp: GiveUp): void {
    this.#giveUps.push(giveUp)
  }

  /** Aborted when the connection of this call is asked to go: what lasts is to end with its own status. */
  endOf(call: object): AbortSignal {
    const session = sessionOf(call)
    const connection = session === null ? undefined : this.#open.get(session)
    return connection?.ending ?? AbortSignal.abort()
  }

  /** Asks all to go. */
  askToGo(): void {
    for (const connection of this.#open.values()) connection.askToGo()
  }

  /** Answers what still runs on any of them. */
  giveUp(): void {
    this.#tellGivenUp(null)
  }

  /** Ends all of them, whatever is on its way. */
  destroy(): void {
    for (const session of this.#open.keys()) session.destroy(undefined, constants.NGHTTP2_CANCEL)
  }

  #opened(session: Http2Session): void {
    const { maxConnectionAgeMs } = this.#limits
    const age = maxConnectionAgeMs * (1 + AGE_JITTER * (2 * this.#jitter() - 1))
    const connection = new Connection(session, this.#limits, age, () => this.#tellGivenUp(session))
    this.#open.set(session, connection)
    session.once('close', () => {
      this.#open.delete(session)
      connection.closed()
    })
  }

  #tellGivenUp(session: Http2Session | null): void {
    for (const giveUp of this.#giveUps) giveUp(session)
  }
}

class Connection {
  readonly #session: Http2Session
  readonly #limits: ConnectionLimits
  readonly #giveUp: () => void
  #ending: AbortController | null = null
  #ageTimer: NodeJS.Timeout
  #pingTimer: NodeJS.Timeout

  constructor(session: Http2Session, limits: ConnectionLimits, ageMs: number, giveUp: () => void) {
    this.#session = session
    this.#limits = limits
    this.#giveUp = giveUp
    this.#ageTimer = setTimeout(() => this.#grownOld(), ageMs).unref()
    this.#pingTimer = setTimeout(() => this.#ping(), limits.keepaliveTimeMs).unref()
  }

  /** Made when first read: only calls that last look at it. */
  get ending(): AbortSignal {
    if (this.#ending === null) {
      this.#ending = new AbortController()
      if (this.#session.closed) this.#ending.abort()
    }
    return this.#ending.signal
  }

  askToGo(): void {
    // Ends by itself when its last call has ended.
    this.#session.close()
    this.#ending?.abort()
  }

  closed(): void {
    clearTimeout(this.#ageTimer)
    clearTimeout(this.#pingTimer)
    this.#ending?.abort()
  }

  #grownOld(): void {
    if (this.#session.closed || this.#session.destroyed) return
    this.#session.goaway(constants.NGHTTP2_NO_ERROR, GREATEST_STREAM_ID, MAX_AGE)
    this.askToGo()
    this.#ageTimer = setTimeout(() => this.#graceOver(), this.#limits.maxConnectionAgeGraceMs).unref()
  }

  #graceOver(): void {
    this.#giveUp()
    this.#ageTimer = setTimeout(() => this.#session.destroy(), LEAVE_MS).unref()
  }

  /** None on a connection that was asked to go: its calls end within the grace, whether the peer lives or not. */
  #ping(): void {
    if (this.#session.closed || this.#session.destroyed) return
    let answered = false
    this.#session.ping((error) => {
      answered = true
      clearTimeout(this.#pingTimer)
      if (error !== null) return
      this.#pingTimer = setTimeout(() => this.#ping(), this.#limits.keepaliveTimeMs).unref()
    })
    this.#pingTimer = setTimeout(() => {
      // A process that was stopped, or busy, reads first what has come meanwhile.
      setImmediate(() => answered || this.#session.destroy())
    }, this.#limits.keepaliveTimeoutMs).unref()
  }
}
