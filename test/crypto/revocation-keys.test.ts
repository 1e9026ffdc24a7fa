import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { drawKeyMaterial, type KeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { withActive, withNewKey, withoutKey } from '../../src/crypto/keyring-rotation.ts'
import { RevocationKeys } from '../../src/crypto/revocation-keys.ts'
import { clientId, grantId, signingKeyId, tokenId, userId } from '../../src/domain/ids.ts'
import { type RevocableFact, type RevocableToken, revocableFactsOf } from '../../src/domain/revocation.ts'

const id = fc.string({ unit: fc.constantFrom(...'ab0-._'), minLength: 1, maxLength: 12 })
const generation = fc.integer({ min: 1, max: 30 })
const facts: fc.Arbitrary<RevocableFact> = fc.oneof(
  id.map((value) => ({ kind: 'token', tokenId: tokenId(value) }) as const),
  id.map((value) => ({ kind: 'grant', grantId: grantId(value) }) as const),
  id.map((value) => ({ kind: 'signing_key', keyId: signingKeyId(value) }) as const),
  fc.tuple(id, generation).map(([value, n]) => ({ kind: 'client', clientId: clientId(value), generation: n }) as const),
  fc.tuple(id, generation).map(([value, n]) => ({ kind: 'user', userId: userId(value), generation: n }) as const),
)
const tokens: fc.Arbitrary<RevocableToken> = fc.record({
  tokenId: fc.uuid().map(tokenId),
  clientId: id.map(clientId),
  clientGeneration: generation,
  userId: fc.option(id.map(userId)),
  userGeneration: fc.option(generation),
  grantId: fc.option(id.map(grantId)),
  signingKeyId: fc.option(id.map(signingKeyId)),
})
const SOME_TOKEN: RevocableToken = {
  tokenId: tokenId('t'),
  clientId: clientId('web'),
  clientGeneration: 1,
  userId: userId('u'),
  userGeneration: 1,
  grantId: grantId('g'),
  signingKeyId: null,
}
const hex = (keys: readonly Buffer[]) => keys.map((key) => key.toString('hex'))

/** A keyring, and a way to go on with other keys as a server does whose file changed. */
function aKeyring() {
  let material = drawKeyMaterial()
  const keyring = new Keyring(material)
  const change = (to: KeyMaterial) => {
    material = to
    keyring.change(() => to)
  }
  return {
    keys: new RevocationKeys(keyring),
    prepare: () => {
      const { id: added, material: after } = withNewKey(material, 'revocation')
      change(after)
      return added
    },
    activate: (key: Parameters<typeof withActive>[1]) => change(withActive(material, key)),
    remove: (key: Parameters<typeof withActive>[1]) => change(withoutKey(material, key)),
    active: () => keyring.active('revocation'),
  }
}

describe('revocation keys', () => {
  const { keys } = aKeyring()

  test('are 16 bytes, equal for the same fact and different for all others', () => {
    fc.assert(
      fc.property(facts, facts, (one, other) => {
        const [a, b] = [keys.of(one), keys.of(other)]
        expect(a.byteLength).toBe(16)
        expect(a.equals(keys.of({ ...one }))).toBe(true)
        expect(a.equals(b)).toBe(JSON.stringify(one) === JSON.stringify(other))
      }),
    )
  })

  test('cannot be computed without the key of the keyring', () => {
    fc.assert(
      fc.property(facts, (fact) => {
        expect(keys.of(fact).equals(aKeyring().keys.of(fact))).toBe(false)
      }),
      { numRuns: 20 },
    )
  })

  test('of a token cover everything that can end it and its ancestors, each fact once, 32 at most', () => {
    fc.assert(
      fc.property(tokens, fc.array(tokens, { maxLength: 5 }), (token, ancestors) => {
        const { keys } = aKeyring()
        const carried = hex(keys.ofToken(token, ancestors))
        expect(hex(keys.ofToken(token, ancestors))).toEqual(carried)
        expect(new Set(carried).size).toBe(carried.length)
        expect(carried.length).toBeLessThanOrEqual(32)
        const wanted = [token, ...ancestors].flatMap(revocableFactsOf).map((fact) => keys.of(fact).toString('hex'))
        expect(new Set(carried)).toEqual(new Set(wanted))
      }),
    )
  })

  test('of exchanged tokens of one grant contain common facts once', () => {
    const { keys } = aKeyring()
    const chain = Array.from({ length: 6 }, (_, n) => ({ ...SOME_TOKEN, tokenId: tokenId(`t${n}`) }))
    expect(keys.ofToken({ ...SOME_TOKEN, tokenId: tokenId('t0') }, chain.slice(1))).toHaveLength(6 + 3)
  })

  test('are published under every key that an unexpired token may carry, while keys rotate', () => {
    const { keys: rotating, prepare, activate, remove, active } = aKeyring()
    fc.assert(
      fc.property(facts, (fact) => {
        const first = active()
        const before = rotating.of(fact)
        const token = { ...SOME_TOKEN, ...(fact.kind === 'token' && { tokenId: fact.tokenId }) }
        const carried = hex(rotating.ofToken(token, []))
        expect(hex(rotating.keysOf(fact))).toEqual([before.toString('hex')])
        const next = prepare()
        // Another instance may have it active already.
        expect(rotating.of(fact).equals(before)).toBe(true)
        expect(rotating.keysOf(fact)).toHaveLength(2)
        activate(next)
        const after = rotating.of(fact)
        expect(after.equals(before)).toBe(false)
        const carriedNow = hex(rotating.ofToken(token, []))
        expect(carriedNow.filter((key) => carried.includes(key))).toEqual([])
        expect(hex(revocableFactsOf(token).flatMap((each) => rotating.keysOf(each))).toSorted()).toEqual(
          [...carried, ...carriedNow].toSorted(),
        )
        expect(hex(rotating.keysOf(fact)).toSorted()).toEqual(hex([before, after]).toSorted())
        remove(first)
        expect(hex(rotating.keysOf(fact))).toEqual([after.toString('hex')])
      }),
      { numRuns: 20 },
    )
  })
})
