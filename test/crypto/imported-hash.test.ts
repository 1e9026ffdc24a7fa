import { describe, expect, it } from 'vitest'
import { hashForImport, importedHashMatches, whyNotImported } from '../../src/crypto/imported-hash.ts'

/** Test vectors of jBCrypt, and hashes made by libxcrypt and by Python's hashlib. */
const HASHES = [
  ['a', '$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe'],
  ['abc', '$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i'],
  ['abcdefghijklmnopqrstuvwxyz', '$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC'],
  ['hydra-old-secret-1', '$2b$10$abcdefghijklmnopqrstuuQ.BATMQVqU1dBOlzcnzdIpId2LdmP5S'],
  ['keycloak', '$2y$05$012345678901234567890uBKlrvCXMWyA6xqjDIHbeFEM5mfrMeMG'],
  [
    'hydra-old-secret-2',
    '$pbkdf2-sha256$i=25000,l=32$AAECAwQFBgcICQoLDA0ODw$brviVVQ/iLrGfIhPIrPpNm7JkXkp8PLGW5bJb8hDdLs',
  ],
  [
    'other-secret',
    '$pbkdf2-sha512$i=10000,l=64$AAECAwQFBgcICQoLDA0ODw$7f+BjDXs3QCeiTqSwnobWnVC9SkOdLLfgpHJusikT/Qt2LWhB8YbfWfDjTGDN+WHe0bMXrVzXUFji6s3ipNZgQ',
  ],
] as const

describe('hashes that other servers made', () => {
  it.each(HASHES)('match %s and no other secret', async (secret, hash) => {
    expect(whyNotImported(hash)).toBeNull()
    expect(await importedHashMatches(secret, hash)).toBe(true)
    expect(await importedHashMatches(`${secret}x`, hash)).toBe(false)
    expect(await importedHashMatches('', hash)).toBe(false)
  })

  it.each([
    ['a cost that takes seconds', '$2b$13$abcdefghijklmnopqrstuuwPZonynfaVIHSPkrzWsV8xod5I4Z/HK', /cost of 13/],
    [
      'too many iterations',
      '$pbkdf2-sha256$i=600001,l=32$AAECAwQFBgcICQoLDA0ODw$brviVVQ/iLrGfIhPIrPpNm7JkXkp8PLGW5bJb8hDdLs',
      /600000/,
    ],
    [
      'hardly any iterations',
      '$pbkdf2-sha256$i=1,l=32$AAECAwQFBgcICQoLDA0ODw$brviVVQ/iLrGfIhPIrPpNm7JkXkp8PLGW5bJb8hDdLs',
      /1000/,
    ],
    [
      'another length than it says',
      '$pbkdf2-sha256$i=25000,l=16$AAECAwQFBgcICQoLDA0ODw$brviVVQ/iLrGfIhPIrPpNm7JkXkp8PLGW5bJb8hDdLs',
      /must be bcrypt/,
    ],
    [
      'a salt that salts little',
      '$pbkdf2-sha256$i=25000,l=32$AAEC$brviVVQ/iLrGfIhPIrPpNm7JkXkp8PLGW5bJb8hDdLs',
      /salt/,
    ],
    ['an algorithm that is not known', '$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA', /must be bcrypt/],
    ['a secret in the clear', 'secret', /must be bcrypt/],
  ])('are refused with %s', async (_what, hash, problem) => {
    expect(whyNotImported(hash)).toMatch(problem)
    expect(await importedHashMatches('tooslow', hash)).toBe(false)
  })

  it('do not match secrets that bcrypt would truncate', async () => {
    const hash = HASHES[0][1]
    expect(await importedHashMatches('a\0b', hash)).toBe(false)
    expect(await importedHashMatches('a'.repeat(73), hash)).toBe(false)
  })

  it('are computed for secrets that are stored in plaintext', async () => {
    const hash = await hashForImport('in the clear')
    expect(whyNotImported(hash)).toBeNull()
    expect(await importedHashMatches('in the clear', hash)).toBe(true)
    expect(await hashForImport('in the clear')).not.toBe(hash)
  })
})
