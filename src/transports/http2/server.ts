import type { AddressInfo } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import type { Http2Application, Http2Connection } from './application.ts'
import type { Http2Limits } from './options.ts'

/** TLS of a server. */
export interface Http2TlsOptions {
  /** Certificate, key, CA; the protocol version and ciphers are chosen here. */
  readonly context: SecureContextOptions
  /** Whether clients are asked for a certificate, and refused without one that the CA issued. */
  readonly requestCert: boolean
  readonly rejectUnauthorized: boolean
}

export interface Http2ServerOptions {
  readonly application: Http2Application
  readonly limits?: Partial<Http2Limits>
  /** Plaintext with prior knowledge (RFC 9113 §3.3) if not given. */
  readonly tls?: Http2TlsOptions
}

/** Listens, and holds the connections. */
export class Http2Server {
  readonly options: Http2ServerOptions

  constructor(options: Http2ServerOptions) {
    this.options = options
  }

  /** Those that have not closed. */
  get connections(): Iterable<Http2Connection> {
    return []
  }

  /** @throws the error of `net.Server`, when the address cannot be had. */
  listen(options: { readonly host: string; readonly port: number }): Promise<AddressInfo> {
    return Promise.reject(new Error(String(options)))
  }

  /** New connections get this certificate; the others stay as they are. */
  setSecureContext(context: SecureContextOptions): void {
    throw new Error(String(context))
  }

  /** Takes no more connections, and asks those there are to end. Settles when all have closed. */
  close(reason?: string): Promise<void> {
    return Promise.reject(new Error(String(reason)))
  }

  /** Cuts all connections. */
  destroy(): void {
    throw new Error()
  }
}
