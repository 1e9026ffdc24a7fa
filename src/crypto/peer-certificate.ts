import { hash, type X509Certificate } from 'node:crypto'
import { alternativeName, type PeerCertificate, thumbprintOf } from '../domain/certificate.ts'

/** `chained`: whether the CA for clients issued it. */
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
