import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readCertificate } from '../../src/crypto/peer-certificate.ts'
import { DEFAULT_LIMITS } from '../../src/transports/grpc/limits.ts'
import { Connections } from '../../src/transports/grpc-js/connections.ts'
import { selfSigned, selfSignedWith, suiteFolder } from '../setup/certificates.ts'

const folder = suiteFolder()
let made = 0

function namesOf(...names: readonly string[]): readonly string[] {
  made += 1
  const { cert } = selfSigned(folder, `peer-${made}`, names)
  return readCertificate(new X509Certificate(cert), true).alternativeNames
}

describe('the names of a certificate', () => {
  it('are read of each kind', () => {
    expect(namesOf('DNS:A.example', 'URI:spiffe://x/y', 'IP:10.0.0.1', 'IP:2001:db8::7', 'email:a@b.example')).toEqual([
      'dns:a.example',
      'uri:spiffe://x/y',
      'ip:10.0.0.1',
      'ip:2001:db8::7',
      'email:a@b.example',
    ])
    expect(namesOf()).toEqual([])
  })

  it.each([
    'URI.1 = https://a/?x, DNS:evil.example',
    'URI.1 = https://a/", DNS:evil.example',
    'URI.1 = https://a/\\", DNS:evil.example',
    'email.1 = a@b, DNS:evil.example',
    'DNS.1 = a, DNS:evil.example',
    'otherName.1 = 1.2.3.4;UTF8:x, DNS:evil.example',
    'dirName.1 = evil\n[evil]\nCN = x, DNS:evil.example',
  ])('cannot be smuggled in by another name: %s', (line) => {
    made += 1
    const { cert } = selfSignedWith(folder, `smuggler-${made}`, [line])
    const shown = new X509Certificate(cert)
    expect(shown.subjectAltName).toBeDefined()
    expect(readCertificate(shown, true).alternativeNames).not.toContain('dns:evil.example')
  })

  it('are none where the connection has no TLS', () => {
    const connections = new Connections(
      DEFAULT_LIMITS,
      () => 0,
      () => undefined,
    )
    expect(connections.certificateOf({})).toBeNull()
    expect(connections.certificateOf({ call: { stream: { session: { socket: { authorized: true } } } } })).toBeNull()
  })
})
