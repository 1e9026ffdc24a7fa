import { isIPv4, isIPv6 } from 'node:net'
import { isWorkloadId } from './spiffe-id.ts'

declare const brand: unique symbol

/** SHA-256 over a certificate's DER, base64url without padding: `x5t#S256` (RFC 8705 §3.1). */
export type CertificateThumbprint = string & { readonly [brand]: 'CertificateThumbprint' }

/** A certificate that a caller presented in a TLS handshake with this server. The handshake proved possession of its key. */
export interface PeerCertificate {
  readonly thumbprint: CertificateThumbprint
  /** Whether it chains to the CA that the server trusts for clients. */
  readonly chained: boolean
  /** The subject's distinguished name (RFC 4514), for logs. */
  readonly subject: string
  /** In the grammar of `parseTlsClientSubject`: `dns:…`, `uri:…`, `ip:…`, `email:…`. */
  readonly alternativeNames: readonly string[]
  /** The SPIFFE ID of an X.509-SVID. `null`: the certificate is not one. */
  readonly spiffeId: string | null
  readonly notBefore: number
  readonly notAfter: number
}

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/

/** Parses a thumbprint. `null`: the text is not one. */
export function certificateThumbprint(value: string): CertificateThumbprint | null {
  // 43 characters hold two bits more than 32 bytes. Only one spelling of each hash is valid.
  const canonical = THUMBPRINT.test(value) && Buffer.from(value, 'base64url').toString('base64url') === value
  return canonical ? (value as CertificateThumbprint) : null
}

/** The thumbprint of a hash of 32 bytes. */
export function thumbprintOf(hash: Buffer): CertificateThumbprint {
  return hash.toString('base64url') as CertificateThumbprint
}

/** The hash in a thumbprint. */
export function hashOf(thumbprint: CertificateThumbprint): Buffer {
  return Buffer.from(thumbprint, 'base64url')
}

/** Whether the moment is within the certificate's validity dates. */
export function isCurrent({ notBefore, notAfter }: PeerCertificate, now: number): boolean {
  return notBefore <= now && now <= notAfter
}

const FORM = /^(dns|uri|ip|email|x5t#S256):(\S+)$/
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/
const EMAIL = /^[^\s@]+@[^\s@]+$/
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:\S+$/
const SPIFFE = /^spiffe:/i

/**
 * Parses the identifier of a client's certificate and normalizes its spelling: one subject alternative name (`dns:`, `uri:`,
 * `ip:` or `email:`, RFC 8705 §2.1.2) or the thumbprint of one certificate (`x5t#S256:`, §2.2). `null`: the text is neither.
 */
export function parseTlsClientSubject(text: string): string | null {
  const [, kind = '', value = ''] = FORM.exec(text) ?? []
  if (kind === 'x5t#S256') return certificateThumbprint(value) === null ? null : text
  if (kind === '') return null
  const name = alternativeName(kind, value)
  return name === null || !isNameable(kind, name) ? null : `${kind}:${name}`
}

/** A name of a certificate in the spelling of `parseTlsClientSubject`. `null`: the name cannot be written so. */
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
 * Whether the client is registered with this certificate. A name counts only in a certificate of the CA for clients. A
 * SPIFFE ID counts only in an X.509-SVID. A thumbprint needs no CA.
 */
export function isCertificateOf(subject: string, certificate: PeerCertificate): boolean {
  if (subject.startsWith('x5t#S256:')) return subject === `x5t#S256:${certificate.thumbprint}`
  if (!certificate.chained) return false
  const isSpiffeId = subject.startsWith('uri:') && SPIFFE.test(subject.slice('uri:'.length))
  return isSpiffeId ? subject === `uri:${certificate.spiffeId}` : certificate.alternativeNames.includes(subject)
}

/** Wildcards are rejected: they would match clients that nobody has named. */
function isNameable(kind: string, name: string): boolean {
  switch (kind) {
    case 'dns':
      return name.length <= 253 && name.split('.').every((label) => LABEL.test(label))
    case 'uri':
      return URI.test(name) && (!SPIFFE.test(name) || isWorkloadId(name))
    case 'email':
      return EMAIL.test(name)
    default:
      return true
  }
}

/** IPv6 in its shortest form. Certificates show all eight groups. */
function plainAddress(text: string): string | null {
  if (isIPv4(text)) return text
  return isIPv6(text) && !text.includes('%') ? new URL(`http://[${text}]`).hostname.slice(1, -1) : null
}
