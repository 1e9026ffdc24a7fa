import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

/** What a server proves itself with, in PEM. */
export interface TlsMaterial {
  /** The certificate, and those that issued it. */
  readonly cert: Buffer
  readonly key: Buffer
  /** Of the CA for clients; `null`: there is none, so no certificate is believed for its names. */
  readonly clientCa: Buffer | null
}

/** Whether a server asks its clients for a certificate, as in the configuration. */
export type ClientCertificates = 'none' | 'request' | 'require'

/** The TLS context of a server. RFC 9325 §3.1.1: TLS 1.2 at least. */
export function contextOf({ cert, key, clientCa }: TlsMaterial): SecureContextOptions {
  // A resumed session would bring a certificate along that nobody looked at again, for little gain on connections that last.
  const secureOptions = constants.SSL_OP_NO_TICKET
  // An empty list: without it, the CAs that this machine trusts for servers would vouch for clients.
  return { cert, key, ca: clientCa ?? [], minVersion: 'TLSv1.2', secureOptions }
}
