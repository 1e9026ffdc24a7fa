import type { PeerCertificate } from '../../domain/certificate.ts'
import { type AgeLimits, type AgingConnection, ConnectionAge } from '../grpc/connection-age.ts'
import type { Http2Connection } from '../http2/application.ts'
import type { PeerCertificates } from '../peer.ts'

/** A call that has not ended. */
export interface ExpiringCall {
  /** Answers the call now. */
  expire(): void
}

export interface NativeConnectionOptions {
  /** See `TransportCall`. */
  readonly peer: string
  readonly certificates: PeerCertificates
  readonly limits: AgeLimits
  /** A number in [0, 1). */
  readonly jitter: number
}

/** A connection, as the port sees it. */
export class NativeConnection implements AgingConnection {
  readonly peer: string
  readonly age: ConnectionAge
  readonly #connection: Http2Connection
  readonly #certificates: PeerCertificates
  /** Calls that have not ended. */
  readonly #calls = new Set<ExpiringCall>()

  constructor(connection: Http2Connection, { peer, certificates, limits, jitter }: NativeConnectionOptions) {
    this.#connection = connection
    this.#certificates = certificates
    this.peer = peer
    this.age = new ConnectionAge(this, limits, jitter)
  }

  get ending(): boolean {
    return this.#connection.draining
  }

  /** The certificate that the peer presented in the TLS handshake; `null` if there is none. */
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
