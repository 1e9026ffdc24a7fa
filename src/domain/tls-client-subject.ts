import { isIPv4, isIPv6 } from 'node:net'
import { certificateThumbprint, type PeerCertificate } from './certificate.ts'

const FORM = /^(dns|uri|ip|email|x5t#S256):(\S+)$/
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/
const EMAIL = /^[^\s@]+@[^\s@]+$/
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:\S+$/

/**
 * Reads what a client's certificate is known by, and spells it in one way: one
 * subject alternative name (`dns:`, `uri:`, `ip:` or `email:`, RFC 8705 §2.1.2)
 * or the thumbprint of one certificate (`x5t#S256:`, §2.2). `null` if it is none.
 */
export function parseTlsClientSubject(text: string): string | null {
  const [, kind = '', value = ''] = FORM.exec(text) ?? []
  if (kind === 'x5t#S256') return certificateThumbprint(value) === null ? null : text
  if (kind === '') return null
  const name = alternativeName(kind, value)
  return name === null || !isNameable(kind, name) ? null : `${kind}:${name}`
}

/** A name of a certificate, spelled as `parseTlsClientSubject` does; `null` if it cannot be. */
export function alternativeName(kind: string, value: string): string | null {
  switch (kind) {
    case 'dns':
      return value.toLowerCase()
    case 'ip':
      return plainAddress(value)
    case 'uri':
    case 'email':
      return value
    default:
      return null
  }
}

/**
 * Whether the certificate is the one that the client is registered with. A name
 * is believed only from the CA for clients; a thumbprint stands for itself.
 */
export function isCertificateOf(subject: string, certificate: PeerCertificate): boolean {
  if (subject.startsWith('x5t#S256:')) return subject === `x5t#S256:${certificate.thumbprint}`
  return certificate.chained && certificate.alternativeNames.includes(subject)
}

/** No wildcards: they would stand for clients that nobody has named. */
function isNameable(kind: string, name: string): boolean {
  switch (kind) {
    case 'dns':
      return name.length <= 253 && name.split('.').every((label) => LABEL.test(label))
    case 'uri':
      return URI.test(name)
    case 'email':
      return EMAIL.test(name)
    default:
      return true
  }
}

/** IPv6 in its shortest form; certificates are shown with all eight groups. */
function plainAddress(text: string): string | null {
  if (isIPv4(text)) return text
  return isIPv6(text) && !text.includes('%') ? new URL(`http://[${text}]`).hostname.slice(1, -1) : null
}
