import { hash, type X509Certificate } from 'node:crypto'
import { alternativeName, type PeerCertificate, thumbprintOf } from '../domain/certificate.ts'
import { isWorkloadId } from '../domain/spiffe-id.ts'
import { CRL_SIGN, DIGITAL_SIGNATURE, extensionsOf, KEY_CERT_SIGN } from './certificate-extensions.ts'

/** `chained`: whether the CA for clients issued it. */
export function readCertificate(shown: X509Certificate, chained: boolean): PeerCertificate {
  const alternativeNames = alternativeNamesOf(shown.subjectAltName ?? '')
  return Object.freeze({
    thumbprint: thumbprintOf(hash('sha256', shown.raw, 'buffer')),
    chained,
    subject: (shown.subject ?? '').split('\n').reverse().join(','),
    alternativeNames: Object.freeze(alternativeNames),
    spiffeId: spiffeIdOf(shown, alternativeNames),
    notBefore: Date.parse(shown.validFrom),
    notAfter: Date.parse(shown.validTo),
  })
}

const KINDS: ReadonlyMap<string, string> = new Map([
  ['DNS', 'dns'],
  ['URI', 'uri'],
  ['IP Address', 'ip'],
  ['email', 'email'],
])

/** If one of the names cannot be parsed, all are ignored. */
function alternativeNamesOf(printed: string): readonly string[] {
  // One name as OpenSSL prints it. Node.js quotes ambiguous names as JSON.
  const next = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y
  const names: string[] = []
  while (next.lastIndex < printed.length) {
    const [, type = '', value = ''] = next.exec(printed) ?? []
    if (type === '') return []
    const kind = KINDS.get(type)
    const name = kind === undefined ? null : alternativeName(kind, unquoted(value))
    if (kind !== undefined && name !== null) names.push(`${kind}:${name}`)
  }
  return names
}

function unquoted(value: string): string {
  return value.startsWith('"') ? String(JSON.parse(value)) : value
}

/**
 * The SPIFFE ID of an X.509-SVID: a leaf certificate with exactly one URI (SPIFFE X509-SVID §2, §5.2) whose key may
 * sign. A certificate without `keyUsage` allows every use of its key (RFC 5280 §4.2.1.3).
 */
function spiffeIdOf(shown: X509Certificate, alternativeNames: readonly string[]): string | null {
  const [uri, ...others] = alternativeNames.filter((name) => name.startsWith('uri:')).map((name) => name.slice(4))
  if (uri === undefined || others.length > 0 || !isWorkloadId(uri)) return null
  const extensions = extensionsOf(shown)
  if (extensions === null || extensions.isCa) return null
  const { keyUsage } = extensions
  if (keyUsage === null) return uri
  return keyUsage.has(DIGITAL_SIGNATURE) && !keyUsage.has(KEY_CERT_SIGN) && !keyUsage.has(CRL_SIGN) ? uri : null
}
