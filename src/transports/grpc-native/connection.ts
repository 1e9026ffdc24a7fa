import type { PeerCertificate } from '../../domain/certificate.ts'
import { type AgeLimits, type AgingConnection, ConnectionAge } from '../grpc/connection-age.ts'
import type { Http2Connection } from '../http2/application.ts'
import { type PeerCertificates, peerAddress } from '../peer.ts'

/** A call that has not ended. */
export interface ExpiringCall {
  /** Has it answered now. */
  expire(): void
}

/** What the port knows of a connection. */
export class NativeConnection implements AgingConnection {
  /** The address of the peer, without its port. */
  readonly peer: string
  readonly age: ConnectionAge
  readonly #connection: Http2Connection
  readonly #certificates: PeerCertificates
  /** Calls that have not ended. */
  readonly #calls = new Set<ExpiringCall>()

  constructor(connection: Http2Connection, certificates: PeerCertificates, limits: AgeLimits, jitter: number) {
    this.#connection = connection
    this.#certificates = certificates
    // A socket that was closed before it was asked has no address left.
    this.peer = peerAddress(connection.socket.remoteAddress ?? 'gone')
    this.age = new ConnectionAge(this, limits, jitter)
  }

  get ending(): boolean {
    return this.#connection.draining
  }

  /** Shown by the peer in the TLS handshake; `null`: none. */
  get certificate(): PeerCertificate | null {
    return this.#certificates.on(this.#connection.socket)
  }

  goAway(reason?: string): void {
    this.#connection.goAway(reason)
  }

  destroy(): void {
    this.#connection.destroy()
  }

  expireCalls(): void {
    for (const call of this.#calls) call.expire()
  }

  callBegan(call: ExpiringCall): void {
    this.#calls.add(call)
  }

  callEnded(call: ExpiringCall): void {
    this.#calls.delete(call)
  }
}
