import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CertificateVerifier } from '../../src/crypto/certificate-verifier.ts'
import { type Identity, suiteFolder } from '../setup/certificates.ts'
import { ClientPki } from '../setup/client-pki.ts'

const pki = new ClientPki(suiteFolder())
const root = pki.root()
const CLIENT = { extensions: ['subjectAltName = DNS:orders.internal', 'extendedKeyUsage = clientAuth'] }
const leaf = pki.issue(root, CLIENT)
const CA = ['basicConstraints = critical, CA:TRUE', 'keyUsage = critical, keyCertSign']
const DAY_MS = 86_400_000

const parse = ({ cert }: Pick<Identity, 'cert'>) => new X509Certificate(cert)

/** `ca`: what the server trusts. */
function verified(
  certificate: Identity,
  chain: readonly Identity[] = [],
  ca: readonly Identity[] = [root],
  now = Date.now(),
) {
  const verifier = new CertificateVerifier(Buffer.concat(ca.map(({ cert }) => cert)))
  const result = verifier.verify(parse(certificate), chain.map(parse), now)
  return result.ok ? 'ok' : result.problem
}

describe('a certificate is verified', () => {
  it('if the CA issued it, directly or through intermediates in whatever order', () => {
    expect(verified(leaf)).toBe('ok')
    const first = pki.intermediate(root)
    const second = pki.intermediate(first)
    const below = pki.issue(second, CLIENT)
    expect(verified(below, [second, first])).toBe('ok')
    expect(verified(below, [first, leaf, second])).toBe('ok')
    expect(verified(below, [second], [root, first])).toBe('ok')
    expect(verified(below, [], [second, first, root])).toBe('ok')
    expect(verified(below, [second])).toBe('untrusted')
    expect(verified(below, [second, first, root], [pki.root()])).toBe('untrusted')
  })

  it('only with a path to a self-signed certificate, as in handshakes', () => {
    const intermediate = pki.intermediate(root)
    const below = pki.issue(intermediate, CLIENT)
    expect(verified(below, [], [intermediate])).toBe('untrusted')
  })

  it('without extensions of its own, and with the key usages of handshakes', () => {
    expect(verified(pki.issue(root))).toBe('ok')
    expect(verified(pki.issue(root, { extensions: ['keyUsage = critical, digitalSignature'] }))).toBe('ok')
    expect(verified(pki.issue(root, { extensions: ['keyUsage = critical, keyAgreement'] }))).toBe('ok')
    expect(verified(pki.issue(root, { key: ['-newkey', 'rsa:2048', '-nodes'] }))).toBe('ok')
    expect(verified(pki.issue(root, { key: ['-newkey', 'ed25519', '-nodes'] }))).toBe('ok')
  })

  it('while it and its whole path are valid, and the period is returned', () => {
    const verifier = new CertificateVerifier(root.cert)
    const result = verifier.verify(parse(leaf), [], Date.now())
    const [own, above] = [parse(leaf), parse(root)]
    expect(result).toEqual({
      ok: true,
      period: {
        notBefore: Math.max(Date.parse(own.validFrom), Date.parse(above.validFrom)),
        notAfter: Math.min(Date.parse(own.validTo), Date.parse(above.validTo)),
      },
    })
    expect(verified(leaf, [], [root], Date.now() + 3 * DAY_MS)).toBe('expired')
    expect(verified(leaf, [], [root], Date.now() - DAY_MS)).toBe('expired')
    const lasting = pki.issue(root, { ...CLIENT, days: 30 })
    expect(verified(lasting, [], [root], Date.now() + 3 * DAY_MS)).toBe('untrusted')
  })
})

describe('a certificate is refused', () => {
  it.each([
    ['for servers', ['extendedKeyUsage = serverAuth']],
    ['for any purpose but this one', ['extendedKeyUsage = codeSigning, emailProtection']],
    ['whose key only encrypts', ['keyUsage = critical, keyEncipherment']],
    ['that is a CA itself', CA],
    ['that is a CA whose key signs no certificates', ['basicConstraints = CA:TRUE', 'keyUsage = digitalSignature']],
    ['with a critical extension that nobody evaluates', ['1.2.3.4 = critical, ASN1:UTF8String:x']],
  ])('%s', (_what, extensions) => {
    expect(verified(pki.issue(root, { extensions }))).toBe('purpose')
  })

  it('if its issuer has the name of the CA, but not the key', () => {
    const impostor = new ClientPki(suiteFolder())
    const sameName = impostor.root()
    expect(parse(sameName).subject).toBe(parse(root).subject)
    expect(verified(impostor.issue(sameName, CLIENT))).toBe('untrusted')
    expect(verified(impostor.issue(sameName, CLIENT), [sameName])).toBe('untrusted')
  })

  it.each([
    ['is no CA', []],
    ['says that it is none', ['basicConstraints = critical, CA:FALSE']],
    ['may not sign certificates', ['basicConstraints = critical, CA:TRUE', 'keyUsage = critical, cRLSign']],
    ['vouches for servers only', [...CA, 'extendedKeyUsage = serverAuth']],
    [
      'may vouch for some names only, which nobody compares',
      [...CA, 'nameConstraints = critical, permitted;DNS:internal'],
    ],
    ['has a critical extension that nobody evaluates', [...CA, '1.2.3.4 = critical, ASN1:UTF8String:x']],
  ])('if an intermediate certificate %s', (_what, extensions) => {
    const between = pki.intermediate(root, extensions)
    expect(verified(pki.issue(between, CLIENT), [between])).toBe('untrusted')
  })

  it('beyond the path length that a CA allows', () => {
    const limited = pki.intermediate(root, ['basicConstraints = critical, CA:TRUE, pathlen:0'])
    expect(verified(pki.issue(limited, CLIENT), [limited])).toBe('ok')
    const below = pki.intermediate(limited)
    expect(verified(pki.issue(below, CLIENT), [below, limited])).toBe('untrusted')
  })

  it('if a certificate of its path has a weak signature or a short key', () => {
    expect(verified(pki.issue(root, { ...CLIENT, digest: '-sha1' }))).toBe('untrusted')
    expect(verified(pki.issue(root, { ...CLIENT, key: ['-newkey', 'rsa:1024', '-nodes'] }))).toBe('untrusted')
    const weak = pki.issue(root, { extensions: CA, digest: '-sha1' })
    expect(verified(pki.issue(weak, CLIENT), [weak])).toBe('untrusted')
  })

  it('quickly, if certificates form a cycle', () => {
    const other = pki.root({ name: 'circle' })
    // Of one name and one key: each may have issued each, and to try all ways would take hours.
    const again = { name: 'circle', extensions: CA, key: ['-key', other.keyFile, '-nodes'] }
    const circle = Array.from({ length: 12 }, () => pki.issue(other, again))
    expect(verified(pki.issue(other, CLIENT), circle)).toBe('untrusted')
  })
})
