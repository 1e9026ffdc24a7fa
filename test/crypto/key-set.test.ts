import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CLIENT_KEYS, ISSUER_KEYS, readKeySet } from '../../src/crypto/key-set.ts'

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
