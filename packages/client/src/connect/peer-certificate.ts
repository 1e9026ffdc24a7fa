import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { TLSSocket } from 'node:tls'
import { type ContextValues, createContextKey, createContextValues } from '@connectrpc/connect'
import { certificateThumbprint } from '../verification/certificate-thumbprint.ts'

/** The thumbprint of the certificate that the caller showed in the TLS handshake; `null`: none. */
export const peerCertificate = createContextKey<string | null>(null, { description: 'thumbprint of the caller' })

/**
 * Tells `requireToken` of the caller's certificate, which Connect does not.
 * Without it, tokens that are bound to a certificate are refused. The server has
 * to ask for certificates (`requestCert`).
 *
 * @example
 * connectNodeAdapter({ routes, interceptors: [requireToken(…)], contextValues: peerCertificateValues })
 */
export function peerCertificateValues(request: IncomingMessage | Http2ServerRequest): ContextValues {
  const socket = 'stream' in request ? request.stream.session?.socket : request.socket
  // HTTP/2 hands out a proxy of the socket, which answers for the one behind it.
  const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
  return createContextValues().set(peerCertificate, shown === undefined ? null : certificateThumbprint(shown.raw))
}
