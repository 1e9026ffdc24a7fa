import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  certificateThumbprint,
  isCertificateOf,
  type PeerCertificate,
  parseTlsClientSubject,
  thumbprintOf,
} from '../../src/domain/certificate.ts'

const HASH = thumbprintOf(Buffer.alloc(32, 7))

const certificate = (more: Partial<PeerCertificate>): PeerCertificate => ({
  thumbprint: HASH,
  chained: true,
  subject: 'CN=orders',
  alternativeNames: ['dns:orders.internal'],
  notBefore: 0,
  notAfter: 1,
  ...more,
})

describe('the subject of a client’s certificate', () => {
  it('has one spelling', () => {
    expect(parseTlsClientSubject('dns:Orders.INTERNAL')).toBe('dns:orders.internal')
    expect(parseTlsClientSubject('ip:2001:0DB8:0:0::1')).toBe('ip:2001:db8::1')
    expect(parseTlsClientSubject('uri:spiffe://Shop/a,b')).toBe('uri:spiffe://Shop/a,b')
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const once = parseTlsClientSubject(`ip:${address}`)
        expect(once).not.toBeNull()
        expect(parseTlsClientSubject(once ?? '')).toBe(once)
      }),
    )
  })

  it('of any text is null or stable after parsing', () => {
    const kinds = fc.constantFrom('dns:', 'uri:', 'ip:', 'email:', 'x5t#S256:', '', 'cn:')
    fc.assert(
      fc.property(kinds, fc.string(), (kind, text) => {
        const once = parseTlsClientSubject(kind + text)
        if (once !== null) expect(parseTlsClientSubject(once)).toBe(once)
      }),
    )
  })

  it('has one thumbprint for each hash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const thumbprint = thumbprintOf(Buffer.from(bytes))
        expect(certificateThumbprint(thumbprint)).toBe(thumbprint)
      }),
    )
    expect(certificateThumbprint(`${'A'.repeat(42)}B`)).toBeNull()
  })

  it('counts by name only from the CA, and by thumbprint from any issuer', () => {
    expect(isCertificateOf('dns:orders.internal', certificate({}))).toBe(true)
    expect(isCertificateOf('dns:orders.internal', certificate({ chained: false }))).toBe(false)
    expect(isCertificateOf('uri:dns:orders.internal', certificate({}))).toBe(false)
    expect(isCertificateOf(`x5t#S256:${HASH}`, certificate({ chained: false }))).toBe(true)
    expect(isCertificateOf(`x5t#S256:${thumbprintOf(Buffer.alloc(32))}`, certificate({}))).toBe(false)
  })
})
