import { constants, type Http2Session } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import type { PeerCertificate } from '../../domain/certificate.ts'
import { PeerCertificates } from '../peer.ts'
import { FLUSH_MS } from '../shutdown.ts'
import { http2ServersOf, sessionOf } from './grpc-js-internals.ts'

/** How long a connection may live and be silent. Times are milliseconds. */
export interface ConnectionLimits {
  /** After this a connection is asked to end (GOAWAY), so that load spreads over new instances. */
  readonly maxConnectionAgeMs: number
  /** How long the calls of a connection that was asked to end may take. */
  readonly maxConnectionAgeGraceMs: number
  /** How often a peer is pinged, and how long it may take to answer. */
  readonly keepaliveTimeMs: number
  readonly keepaliveTimeoutMs: number
}

/** Answers the calls that still run on a connection, or on all of them if `null`, and aborts them. */
export type AbortCalls = (session: Http2Session | null) => void

/** The age of connections differs by so much, so that they do not all come back together. */
const AGE_JITTER = 0.1
const GREATEST_STREAM_ID = 2 ** 31 - 1
const MAX_AGE = Buffer.from('max_age')

/**
 * The connections of a gRPC server. Each is pinged, is asked to end (GOAWAY) when it
 * is old enough, and ends when its calls have ended. grpc-js could do that too, but
 * its pings destroy a connection after the GOAWAY: Node.js sends no more pings on it,
 * which grpc-js takes for a dead peer.
 */
export class Connections {
  readonly #limits: ConnectionLimits
  /** A number in [0, 1). */
  readonly #jitter: () => number
  readonly #open = new Map<Http2Session, Connection>()
  readonly #abortListeners: AbortCalls[] = []
  readonly #certificates = new PeerCertificates()

  constructor(limits: ConnectionLimits, jitter: () => number) {
    this.#limits = limits
    this.#jitter = jitter
  }

  /** To be called when the server is bound. */
  follow(server: Server): void {
    for (const http2Server of http2ServersOf(server)) http2Server.on('session', (session) => this.#opened(session))
  }

  /** Calls back when the grace of a connection is over, and with `null` when that of all connections is. */
  onAbort(listener: AbortCalls): void {
    this.#abortListeners.push(listener)
  }

  /**
   * The certificate that the peer of a call presented, issued by the CA for clients or
   * not; `null` where there is none. grpc-js exposes only the former, so the socket is
   * asked. Where it is not found, there is no certificate, and a test notices.
   */
  certificateOf(call: object): PeerCertificate | null {
    // HTTP/2 hands out a proxy of the socket, which answers for the one behind it.
    return this.#certificates.on(sessionOf(call)?.socket)
  }

  /** Aborted when the connection of this call is asked to end: a call that lasts is to end with its own status. */
  endSignalOf(call: object): AbortSignal {
    const session = sessionOf(call)
    const connection = session === null ? undefined : this.#open.get(session)
    return connection?.ending ?? AbortSignal.abort()
  }

  /** Asks all of them to end when their calls have ended. */
  goAway(): void {
    for (const connection of this.#open.values()) connection.goAway()
  }

  /** Answers the calls that still run on any of them, and aborts them. */
  abortCalls(): void {
    this.#abortCallsOn(null)
  }

  /** Cuts all of them. */
  destroy(): void {
    for (const session of this.#open.keys()) session.destroy(undefined, constants.NGHTTP2_CANCEL)
  }

  #opened(session: Http2Session): void {
    const { maxConnectionAgeMs } = this.#limits
    const age = maxConnectionAgeMs * (1 + AGE_JITTER * (2 * this.#jitter() - 1))
    const connection = new Connection(session, this.#limits, age, () => this.#abortCallsOn(session))
    this.#open.set(session, connection)
    session.once('close', () => {
      this.#open.delete(session)
      connection.closed()
    })
  }

  #abortCallsOn(session: Http2Session | null): void {
    for (const listener of this.#abortListeners) listener(session)
  }
}

class Connection {
  readonly #session: Http2Session
  readonly #limits: ConnectionLimits
  readonly #abortCalls: () => void
  #ending: AbortController | null = null
  #ageTimer: NodeJS.Timeout
  #pingTimer: NodeJS.Timeout

  constructor(session: Http2Session, limits: ConnectionLimits, ageMs: number, abortCalls: () => void) {
    this.#session = session
    this.#limits = limits
    this.#abortCalls = abortCalls
    this.#ageTimer = setTimeout(() => this.#maxAgeReached(), ageMs).unref()
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

  goAway(): void {
    // Ends by itself when its last call has ended.
    this.#session.close()
    this.#ending?.abort()
  }

  closed(): void {
    clearTimeout(this.#ageTimer)
    clearTimeout(this.#pingTimer)
    this.#ending?.abort()
  }

  #maxAgeReached(): void {
    if (this.#session.closed || this.#session.destroyed) return
    this.#session.goaway(constants.NGHTTP2_NO_ERROR, GREATEST_STREAM_ID, MAX_AGE)
    this.goAway()
    this.#ageTimer = setTimeout(() => this.#graceExpired(), this.#limits.maxConnectionAgeGraceMs).unref()
  }

  #graceExpired(): void {
    this.#abortCalls()
    this.#ageTimer = setTimeout(() => this.#session.destroy(), FLUSH_MS).unref()
  }

  /** None on a connection that was asked to end: its calls end within the grace, whether the peer lives or not. */
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
