import { constants, type Http2Session } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import type { PeerCertificate } from '../../domain/certificate.ts'
import { type AgingConnection, ConnectionAge } from '../grpc/connection-age.ts'
import type { GrpcLimits } from '../grpc/limits.ts'
import { PeerCertificates } from '../peer.ts'
import { http2ServersOf, sessionOf } from './internals.ts'

/** Answers the calls that still run on a connection, and aborts them. */
export type ExpireCalls = (session: Http2Session) => void

const GREATEST_STREAM_ID = 2 ** 31 - 1

/**
 * The connections of a gRPC server. Each is pinged. It is asked to end (GOAWAY) when it is old enough, and ends when its
 * calls have ended. grpc-js could do that too, but its pings destroy a connection after the GOAWAY: Node.js sends no more
 * pings on it, and grpc-js then assumes that the peer is dead.
 */
export class Connections {
  readonly #limits: GrpcLimits
  /** A number in [0, 1). */
  readonly #jitter: () => number
  readonly #expireCalls: ExpireCalls
  readonly #open = new Map<Http2Session, Connection>()
  readonly #certificates = new PeerCertificates()

  constructor(limits: GrpcLimits, jitter: () => number, expireCalls: ExpireCalls) {
    this.#limits = limits
    this.#jitter = jitter
    this.#expireCalls = expireCalls
  }

  /** Call this when the server is bound. */
  follow(server: Server): void {
    for (const http2Server of http2ServersOf(server)) http2Server.on('session', (session) => this.#opened(session))
  }

  /**
   * The certificate that the peer of a call presented, whether the CA for clients issued it or not; `null` if there is none.
   * grpc-js exposes only certificates that the CA issued, so this reads the socket. If the socket is not found, the result is
   * `null`, which a test detects.
   */
  certificateOf(call: object): PeerCertificate | null {
    // HTTP/2 returns a proxy of the socket. The proxy forwards property reads to the socket.
    return this.#certificates.on(sessionOf(call)?.socket)
  }

  /** Aborted when the connection of this call is asked to end. A long-running call should then end with its own status. */
  endSignalOf(call: object): AbortSignal {
    const session = sessionOf(call)
    const connection = session === null ? undefined : this.#open.get(session)
    return connection?.age.ends ?? AbortSignal.abort()
  }

  /** Asks all connections to end when their calls have ended. */
  goAway(): void {
    for (const connection of this.#open.values()) connection.age.goAway()
  }

  /** Destroys all connections. */
  destroy(): void {
    for (const session of this.#open.keys()) session.destroy(undefined, constants.NGHTTP2_CANCEL)
  }

  #opened(session: Http2Session): void {
    const connection = new Connection(session, this.#limits, this.#jitter(), this.#expireCalls)
    this.#open.set(session, connection)
    session.once('close', () => {
      this.#open.delete(session)
      connection.closed()
    })
  }
}

class Connection implements AgingConnection {
  readonly age: ConnectionAge
  readonly #session: Http2Session
  readonly #limits: GrpcLimits
  readonly #expireCalls: ExpireCalls
  #pingTimer: NodeJS.Timeout

  constructor(session: Http2Session, limits: GrpcLimits, jitter: number, expireCalls: ExpireCalls) {
    this.#session = session
    this.#limits = limits
    this.#expireCalls = expireCalls
    this.age = new ConnectionAge(this, limits, jitter)
    this.#pingTimer = setTimeout(() => this.#ping(), limits.keepaliveTimeMs).unref()
  }

  get ending(): boolean {
    return this.#session.closed || this.#session.destroyed
  }

  goAway(reason?: string): void {
    if (reason !== undefined) {
      this.#session.goaway(constants.NGHTTP2_NO_ERROR, GREATEST_STREAM_ID, Buffer.from(reason))
    }
    // The session ends by itself when its last call has ended.
    this.#session.close()
  }

  expireCalls(): void {
    this.#expireCalls(this.#session)
  }

  destroy(): void {
    this.#session.destroy()
  }

  closed(): void {
    clearTimeout(this.#pingTimer)
    this.age.closed()
  }

  /** A connection that was asked to end is not pinged: its calls end within the grace period, whether the peer is alive or not. */
  #ping(): void {
    if (this.ending) return
    let answered = false
    this.#session.ping((error) => {
      answered = true
      clearTimeout(this.#pingTimer)
      if (error !== null) return
      this.#pingTimer = setTimeout(() => this.#ping(), this.#limits.keepaliveTimeMs).unref()
    })
    this.#pingTimer = setTimeout(() => {
      // A process that was stopped or busy first reads the bytes that have arrived meanwhile.
      setImmediate(() => answered || this.#session.destroy())
    }, this.#limits.keepaliveTimeoutMs).unref()
  }
}
