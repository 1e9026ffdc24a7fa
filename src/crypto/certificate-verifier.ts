import { X509Certificate } from 'node:crypto'
import {
  type CertificateExtensions,
  DIGITAL_SIGNATURE,
  extensionsOf,
  KEY_AGREEMENT,
  KEY_CERT_SIGN,
} from './certificate-extensions.ts'

/** Why a certificate is rejected: it has no path to the CA, it is not for clients, or it is not valid now. */
export type CertificateProblem = 'untrusted' | 'purpose' | 'expired'

/** The period in which a certificate and its whole path are valid, in milliseconds. */
export interface ValidityPeriod {
  readonly notBefore: number
  readonly notAfter: number
}

export type PathVerification =
  | { readonly ok: true; readonly period: ValidityPeriod }
  | { readonly ok: false; readonly problem: CertificateProblem }

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
/** OpenSSL's limit. It exceeds all paths in use. */
const LONGEST_PATH = 8
/** Bounds the number of paths that are tried, because cross-certificates can form cycles. */
const MOST_SIGNATURES = 32
const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2'
/** SHA-1 and MD5 are not collision-resistant. Node.js rejects them in handshakes too. */
const SOUND_SIGNATURE = /^(sha(256|384|512)WithRSAEncryption|ecdsa-with-SHA(256|384|512)|ED25519|ED448)$/
const LEAST_RSA_BITS = 2_048

/**
 * Verifies certificates that did not come from a handshake by the rules of a handshake (RFC 5280 §6). A path leads to a
 * self-signed certificate of the CA. Each issuer is a CA and allowed at its place. Every certificate of the path is valid now
 * and may authenticate TLS clients. No critical extension is unevaluated. Name constraints are not evaluated: a CA that has
 * some is not accepted. Revocation lists are not checked, as in handshakes.
 */
export class CertificateVerifier {
  /** The self-signed certificates of the CA, and the intermediate ones. */
  readonly #anchors: readonly X509Certificate[]
  readonly #intermediates: readonly X509Certificate[]

  /** `ca`: certificates in PEM. @throws Error if one cannot be parsed. */
  constructor(ca: Buffer) {
    const certificates = Array.from(ca.toString('latin1').matchAll(CERTIFICATE), ([pem]) => new X509Certificate(pem))
    this.#anchors = certificates.filter((each) => each.checkIssued(each))
    this.#intermediates = certificates.filter((each) => !each.checkIssued(each))
  }

  /** `chain`: the certificates that came with it, in any order. Unneeded ones are ignored. */
  verify(leaf: X509Certificate, chain: readonly X509Certificate[], now: number): PathVerification {
    const extensions = extensionsOf(leaf)
    // A CA certificate is not accepted as a client's. It could come first in a chain in the wrong order.
    if (
      extensions === null ||
      extensions.isCa ||
      !mayAuthenticateClients(leaf) ||
      !hasUsage(extensions, DIGITAL_SIGNATURE, KEY_AGREEMENT)
    ) {
      return { ok: false, problem: 'purpose' }
    }
    if (!isValid(leaf, now)) return { ok: false, problem: 'expired' }
    const search = new PathSearch(this.#anchors, [...chain, ...this.#intermediates], now)
    const path = isSound(leaf) ? search.from([leaf]) : null
    if (path === null) return { ok: false, problem: 'untrusted' }
    const period = {
      notBefore: Math.max(...path.map(({ validFrom }) => Date.parse(validFrom))),
      notAfter: Math.min(...path.map(({ validTo }) => Date.parse(validTo))),
    }
    return { ok: true, period }
  }
}

/** Searches for a path from a certificate to a trusted one, issuer by issuer. */
class PathSearch {
  readonly #anchors: readonly X509Certificate[]
  readonly #candidates: readonly X509Certificate[]
  readonly #now: number
  #signatures = 0

  constructor(anchors: readonly X509Certificate[], others: readonly X509Certificate[], now: number) {
    this.#anchors = anchors
    this.#candidates = [...anchors, ...others]
    this.#now = now
  }

  /** `path`: from the leaf upwards. Returns the whole path. `null`: there is none. */
  from(path: readonly X509Certificate[]): readonly X509Certificate[] | null {
    const last = path.at(-1)
    if (last === undefined || path.length > LONGEST_PATH) return null
    for (const issuer of this.#candidates) {
      if (path.some(({ raw }) => raw.equals(issuer.raw)) || !last.checkIssued(issuer)) continue
      if (!this.#mayIssue(issuer, path) || !this.#hasSigned(issuer, last)) continue
      const longer = [...path, issuer]
      const whole = this.#anchors.includes(issuer) ? longer : this.from(longer)
      if (whole !== null) return whole
    }
    return null
  }

  /** `below`: the path from the leaf to this issuer. RFC 5280 §6.1.4. */
  #mayIssue(issuer: X509Certificate, below: readonly X509Certificate[]): boolean {
    const extensions = extensionsOf(issuer)
    if (!issuer.ca || extensions === null || extensions.hasNameConstraints) return false
    // `below` includes the leaf, which does not count. Self-issued certificates, which change a CA's key, count here.
    if (extensions.pathLength !== null && below.length - 1 > extensions.pathLength) return false
    if (!hasUsage(extensions, KEY_CERT_SIGN) || !mayAuthenticateClients(issuer) || !isValid(issuer, this.#now))
      return false
    // An anchor is trusted for its key. Its own signature is not checked.
    return hasSoundKey(issuer) && (this.#anchors.includes(issuer) || isSound(issuer))
  }

  #hasSigned(issuer: X509Certificate, certificate: X509Certificate): boolean {
    this.#signatures += 1
    return this.#signatures <= MOST_SIGNATURES && certificate.verify(issuer.publicKey)
  }
}

function isValid({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo)
}

/** RFC 5280 §4.2.1.12: a key without the extension may serve any purpose. Node.js calls the extended usage `keyUsage`. */
function mayAuthenticateClients({ keyUsage: purposes }: X509Certificate): boolean {
  return purposes === undefined || purposes.includes(CLIENT_AUTHENTICATION)
}

/** Whether the certificate's key has one of these usages. */
function hasUsage({ keyUsage }: CertificateExtensions, ...bits: readonly number[]): boolean {
  return keyUsage === null || bits.some((bit) => keyUsage.has(bit))
}

function isSound(certificate: X509Certificate): boolean {
  return SOUND_SIGNATURE.test(certificate.signatureAlgorithm ?? '') && hasSoundKey(certificate)
}

function hasSoundKey({ publicKey }: X509Certificate): boolean {
  switch (publicKey.asymmetricKeyType) {
    case 'rsa':
      return (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) >= LEAST_RSA_BITS
    case 'ec':
    case 'ed25519':
    case 'ed448':
      return true
    default:
      return false
  }
}
