import { ServerCredentials } from '@grpc/grpc-js'
import { HANDSHAKE_MS } from '../grpc/limits.ts'
import { contextOf, type TlsSource } from '../tls.ts'

/** TLS for a server of grpc-js. The certificate can be replaced while the server runs; new handshakes use the new one. */
export class TlsCredentials extends ServerCredentials {
  constructor(tls: TlsSource) {
    const asked = { requestCert: tls.clients !== 'none', rejectUnauthorized: tls.clients === 'require' }
    super({ ...asked, handshakeTimeout: HANDSHAKE_MS }, contextOf(tls.material))
    // The material must be valid: with invalid material, grpc-js accepts no connection. Open connections keep the old certificate.
    tls.onReplaced((material) => this.updateSecureContextOptions(contextOf(material)))
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }
}
