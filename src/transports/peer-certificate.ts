import type { X509Certificate } from 'node:crypto'
import { hash } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { type PeerCertificate, thumbprintOf } from '../domain/certificate.ts'
import { alternativeName } from '../domain/tls-client-subject.ts'
import { sessionOf } from './grpc/grpc-js-internals.ts'

/** Read once a connection: a certificate does not change on it. */
const known = new WeakMap<TLSSocket, PeerCertificate | null>()

/**
 * The certificate that the other end of a call's connection showed, issued by
 * the CA for clients or not; `null` where there is none. grpc-js tells only of
 * the former, so the socket is asked, which grpc-js keeps to itself: where it is
 * not found, there is no certificate, and a test notices.
 */
export function peerCertificateOf(call: object): PeerCertificate | null {
  // HTTP/2 hands out a proxy of the socket, which answers for the one behind it.
  return certificateOn(sessionOf(call)?.socket)
}

/** The certificate that the other end of a connection showed; `null` where there is none, or no TLS. */
export function certificateOn(socket: unknown): PeerCertificate | null {
  if (!(socket instanceof TLSSocket)) return null
  let certificate = known.get(socket)
  if (certificate === undefined) {
    const shown = socket.getPeerX509Certificate()
    certificate = shown === undefined ? null : readCertificate(shown, socket.authorized)
    known.set(socket, certificate)
  }
  return certificate
}

/** `chained`: whether it was issued by the CA for clients. */
export function readCertificate(shown: X509Certificate, chained: boolean): PeerCertificate {
  return Object.freeze({
    thumbprint: thumbprintOf(hash('sha256', shown.raw, 'buffer')),
    chained,
    subject: (shown.subject ?? '').split('\n').reverse().join(','),
    alternativeNames: Object.freeze(alternativeNamesOf(shown.subjectAltName ?? '')),
    notBefore: Date.parse(shown.validFrom),
    notAfter: Date.parse(shown.validTo),
  })
}

/** One name as OpenSSL prints it; Node quotes, as JSON, what could be mistaken for another. */
const NAME = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y
const KINDS: Readonly<Record<string, string>> = Object.freeze({
  DNS: 'dns',
  URI: 'uri',
  'IP Address': 'ip',
  email: 'email',
})

/** Of what cannot be read nothing is believed. */
function alternativeNamesOf(printed: string): readonly string[] {
  const names: string[] = []
  NAME.lastIndex = 0
  while (NAME.lastIndex < printed.length) {
    const [, type = '', value = ''] = NAME.exec(printed) ?? []
    if (type === '') return []
    const kind = KINDS[type]
    const name = kind === undefined ? null : alternativeName(kind, unquoted(value))
    if (kind !== undefined && name !== null) names.push(`${kind}:${name}`)
  }
  return names
}

function unquoted(value: string): string {
  return value.startsWith('"') ? String(JSON.parse(value)) : value
}
