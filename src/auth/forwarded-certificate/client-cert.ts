import type { X509Certificate } from 'node:crypto'
import { certificateOf, MOST_CERTIFICATES, type ReadHeader } from './told-certificate.ts'

/** RFC 8941 §3.3.5: base64 between colons. Parsers should also accept it without padding (§4.2.7). */
const BYTE_SEQUENCE = /^:([A-Za-z0-9+/]*)={0,2}:$/

/**
 * Parses `Client-Cert` (RFC 9440 §2.2) and `Client-Cert-Chain` (§2.3). They are structured fields: a byte sequence and
 * a list of byte sequences. Each byte sequence is a certificate in DER. `chain`: `null` if the field is absent.
 */
export function readClientCert(certificate: string, chain: string | null): ReadHeader {
  const leaf = itemOf(certificate)
  if (leaf === null) return { problem: 'is not one certificate: a byte sequence of its DER (RFC 9440 §2.2)' }
  const members = chain === null ? [] : chain.split(',')
  if (members.length > MOST_CERTIFICATES)
    return { problem: `is followed by more than ${MOST_CERTIFICATES} certificates` }
  const others = members.map(itemOf).filter((each) => each !== null)
  if (others.length < members.length) {
    return { problem: 'is followed by a client-cert-chain that is not a list of certificates (RFC 9440 §2.3)' }
  }
  return { leaf, chain: others }
}

function itemOf(text: string): X509Certificate | null {
  const [, base64] = BYTE_SEQUENCE.exec(text.trim()) ?? []
  return base64 === undefined ? null : certificateOf(Buffer.from(base64, 'base64'))
}
