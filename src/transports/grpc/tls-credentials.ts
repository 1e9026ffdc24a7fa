import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'
import { ServerCredentials } from '@grpc/grpc-js'

/** What a server proves itself with, in PEM. */
export interface TlsMaterial {
  /** The certificate, and those that issued it. */
  readonly cert: Buffer
  readonly key: Buffer
  /** Of the CA for clients; `null`: there is none, so no certificate is believed for its names. */
  readonly clientCa: Buffer | null
}

/** Who opens a connection and says nothing does not keep it. */
const HANDSHAKE_MS = 10_000

/** As in the configuration. */
export type ClientCertificates = 'none' | 'request' | 'require'

/** TLS for a gRPC server, with a certificate that can be replaced while it runs: new handshakes get the new one. */
export class TlsCredentials extends ServerCredentials {
  constructor(material: TlsMaterial, clients: ClientCertificates) {
    const asked = { requestCert: clients !== 'none', rejectUnauthorized: clients === 'require' }
    super({ ...asked, handshakeTimeout: HANDSHAKE_MS }, contextOf(material))
  }

  /** Connections that are open stay as they are. The material must be sound: with other, grpc-js takes no connection. */
  replace(material: TlsMaterial): void {
    this.updateSecureContextOptions(contextOf(material))
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }
}

/** RFC 9325 §3.1.1: TLS 1.2 at least. */
export function contextOf({ cert, key, clientCa }: TlsMaterial): SecureContextOptions {
  // A resumed session would bring a certificate along that nobody looked at again, for little gain on connections that last.
  const secureOptions = constants.SSL_OP_NO_TICKET
  // An empty list: left out, the CAs that this machine trusts for servers would vouch for clients.
  return { cert, key, ca: clientCa ?? [], minVersion: 'TLSv1.2', secureOptions }
}
