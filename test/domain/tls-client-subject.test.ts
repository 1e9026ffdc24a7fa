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
  spiffeId: null,
  notBefore: 0,
  notAfter: 1,
  ...more,
})

describe('the subject of a client’s certificate', () => {
  it('has one spelling', () => {
    expect(parseTlsClientSubject('dns:Orders.INTERNAL')).toBe('dns:orders.internal')
    expect(parseTlsClientSubject('ip:2001:0DB8:0:0::1')).toBe('ip:2001:db8::1')
    expect(parseTlsClientSubject('uri:https://Shop/a,b')).toBe('uri:https://Shop/a,b')
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

  it('with the scheme spiffe is the SPIFFE ID of a workload', () => {
    expect(parseTlsClientSubject('uri:spiffe://shop/orders')).toBe('uri:spiffe://shop/orders')
    for (const uri of ['spiffe://shop', 'spiffe://shop/', 'spiffe://Shop/orders', 'SPIFFE://shop/orders', 'spiffe:x']) {
      expect(parseTlsClientSubject(`uri:${uri}`)).toBeNull()
    }
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
    const names = { alternativeNames: ['uri:spiffe://shop/orders', 'uri:https://shop.example/'] }
    expect(isCertificateOf('uri:https://shop.example/', certificate(names))).toBe(true)
    expect(isCertificateOf('uri:spiffe://shop/orders', certificate(names))).toBe(false)
    const svid = { ...names, spiffeId: 'spiffe://shop/orders' }
    expect(isCertificateOf('uri:spiffe://shop/orders', certificate(svid))).toBe(true)
    expect(isCertificateOf('uri:spiffe://shop/orders', certificate({ ...svid, chained: false }))).toBe(false)
    expect(isCertificateOf(`x5t#S256:${HASH}`, certificate({ chained: false }))).toBe(true)
    expect(isCertificateOf(`x5t#S256:${thumbprintOf(Buffer.alloc(32))}`, certificate({}))).toBe(false)
  })
})
