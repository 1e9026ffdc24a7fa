declare const brand: unique symbol

/** SHA-256 over a certificate's DER, base64url without padding: `x5t#S256` (RFC 8705 §3.1). */
export type CertificateThumbprint = string & { readonly [brand]: 'CertificateThumbprint' }

/** A certificate that a caller showed in a TLS handshake with this server, the key of which it proved to have. */
export interface PeerCertificate {
  readonly thumbprint: CertificateThumbprint
  /** Whether it was issued, directly or not, by the CA that the server trusts for its clients. */
  readonly chained: boolean
  /** The subject's distinguished name (RFC 4514), for logs. */
  readonly subject: string
  /** In the grammar of `parseTlsClientSubject`: `dns:…`, `uri:…`, `ip:…`, `email:…`. */
  readonly alternativeNames: readonly string[]
  readonly notBefore: number
  readonly notAfter: number
}

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/

/** A thumbprint as it is written; `null` if it is none. */
export function certificateThumbprint(value: string): CertificateThumbprint | null {
  // 43 characters hold two bits more than 32 bytes: only one spelling of each hash counts.
  const canonical = THUMBPRINT.test(value) && Buffer.from(value, 'base64url').toString('base64url') === value
  return canonical ? (value as CertificateThumbprint) : null
}

/** The thumbprint of a hash of 32 bytes. */
export function thumbprintOf(hash: Buffer): CertificateThumbprint {
  return hash.toString('base64url') as CertificateThumbprint
}

/** The hash that a thumbprint writes. */
export function hashOf(thumbprint: CertificateThumbprint): Buffer {
  return Buffer.from(thumbprint, 'base64url')
}

/** Whether a certificate may be used at this moment, as far as its dates go. */
export function isCurrent({ notBefore, notAfter }: PeerCertificate, now: number): boolean {
  return notBefore <= now && now <= notAfter
}
