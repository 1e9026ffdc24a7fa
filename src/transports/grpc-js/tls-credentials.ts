import { ServerCredentials } from '@grpc/grpc-js'
import { HANDSHAKE_MS } from '../grpc/limits.ts'
import { contextOf, type TlsSource } from '../tls.ts'

/** TLS for a server of grpc-js, with a certificate that can be replaced while it runs: new handshakes get the new one. */
export class TlsCredentials extends ServerCredentials {
  constructor(tls: TlsSource) {
    const asked = { requestCert: tls.clients !== 'none', rejectUnauthorized: tls.clients === 'require' }
    super({ ...asked, handshakeTimeout: HANDSHAKE_MS }, contextOf(tls.material))
    // The material must be sound: with other, grpc-js takes no connection. Connections that are open stay as they are.
    tls.onReplaced((material) => this.updateSecureContextOptions(contextOf(material)))
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }
}
