import { ServerCredentials } from '@grpc/grpc-js'
import { type ClientCertificates, contextOf, type TlsMaterial } from '../tls.ts'

/** Whoever opens a connection and sends nothing does not keep it. */
const HANDSHAKE_MS = 10_000

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
