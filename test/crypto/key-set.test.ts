import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readAssertion, verifyAssertion } from '../../src/crypto/assertion.ts'
import { CLIENT_KEYS, ISSUER_KEYS, readKeySet } from '../../src/crypto/key-set.ts'
import { jwksOf, type SigningPair, signed, signingPair } from '../setup/assertions.ts'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = JSON.stringify(publicKey.export({ format: 'jwk' }))
const secret = JSON.stringify(privateKey.export({ format: 'jwk' }))

describe.each([
  ['a client', CLIENT_KEYS],
  ['an issuer', ISSUER_KEYS],
])('the key set of %s', (_whose, limits) => {
  it('is read', () => expect(readKeySet(`{"keys":[${key}]}`, limits).ok).toBe(true))

  it.each([
    ['two lists of keys, of which parsers take different ones', `{"keys":[${secret}],"keys":[${key}]}`],
    ['two lists of keys, one of them written with escapes', `{"keys":[${secret}],"\\u006beys":[${key}]}`],
    ['a key with a member twice', `{"keys":[${key.replace('{', '{"kty":"RSA",')}]}`],
    ['a key with a kid twice', `{"keys":[${key.replace('{', '{"kid":"a","kid":"b",')}]}`],
  ])('is refused with %s (RFC 7517 §4)', (_name, text) => {
    expect(readKeySet(text, limits)).toEqual({
      ok: false,
      problems: ['is not a JSON Web Key Set: it must be {"keys": […]}, with each member once'],
    })
  })
})

describe('a kid that keys of two algorithms have (RFC 7517 §4.5)', () => {
  const [rs256, ps256] = [signingPair('RS256', 'one'), signingPair('PS256', 'one')]
  const jwks = jwksOf(rs256, ps256)

  it('is accepted of an issuer, and each key verifies only its own algorithm', async () => {
    const read = readKeySet(jwks, ISSUER_KEYS)
    if (!read.ok) throw new Error(read.problems.join())
    const claims = { iss: 'https://i.example', sub: 'job', aud: 'q', exp: 1 }
    const claimsSigned = async (pair: SigningPair, algorithm: string) => {
      const assertion = readAssertion(await signed({ ...pair, algorithm }, claims))
      return assertion && (await verifyAssertion(assertion, read.keys))
    }
    expect(await claimsSigned(rs256, 'RS256')).toEqual(claims)
    expect(await claimsSigned(ps256, 'PS256')).toEqual(claims)
    expect(await claimsSigned(rs256, 'PS256')).toBeNull()
    expect(await claimsSigned(ps256, 'RS256')).toBeNull()
  })

  it('is refused of a client', () => {
    expect(readKeySet(jwks, CLIENT_KEYS)).toEqual({ ok: false, problems: ['has two keys with the same kid'] })
  })
})
