import { TLSSocket } from 'node:tls'
import { readCertificate } from '../crypto/peer-certificate.ts'
import type { PeerCertificate } from '../domain/certificate.ts'

/** The address of a peer in canonical form: an IPv4 address that is mapped into IPv6 becomes IPv4. */
export function peerAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '')
}

/**
 * The name of the peer on a socket: `shared`, which all peers of a listener have that come without addresses, or else its
 * address. A socket that closed before its address was read has no address.
 */
export function peerOn(
  { remoteAddress }: { readonly remoteAddress?: string | undefined },
  shared: string | null,
): string {
  return shared ?? peerAddress(remoteAddress ?? 'gone')
}

/** The certificates of a server's connections. Each is read once, because it does not change while the connection is open. */
export class PeerCertificates {
  readonly #known = new WeakMap<TLSSocket, PeerCertificate | null>()

  /** The certificate that the peer presented on a connection; `null` if there is none or the connection has no TLS. */
  on(socket: unknown): PeerCertificate | null {
    if (!(socket instanceof TLSSocket)) return null
    let certificate = this.#known.get(socket)
    if (certificate === undefined) {
      const shown = socket.getPeerX509Certificate()
      certificate = shown === undefined ? null : readCertificate(shown, socket.authorized)
      this.#known.set(socket, certificate)
    }
    return certificate
  }
}
