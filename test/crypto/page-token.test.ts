import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { withActive, withNewKey } from '../../src/crypto/keyring-rotation.ts'
import { openPageToken, sealPageToken } from '../../src/crypto/page-token.ts'

const keyring = new Keyring(drawKeyMaterial())
const filters = fc.record({ clientId: fc.option(fc.string()), activeOnly: fc.boolean() })

describe('page tokens', () => {
  it('carry the cursor of their own list and filter', () => {
    fc.assert(
      fc.property(filters, fc.string({ minLength: 1 }), (filter, cursor) => {
        expect(openPageToken(keyring, 'tokens', filter, sealPageToken(keyring, 'tokens', filter, cursor))).toBe(cursor)
      }),
    )
  })

  it('are invalid for another list, filter or server', () => {
    fc.assert(
      fc.property(filters, filters, fc.string({ minLength: 1 }), (filter, other, cursor) => {
        fc.pre(JSON.stringify(filter) !== JSON.stringify(other))
        const token = sealPageToken(keyring, 'tokens', filter, cursor)
        expect(openPageToken(keyring, 'tokens', other, token)).toBeNull()
        expect(openPageToken(keyring, 'clients', filter, token)).toBeNull()
        expect(openPageToken(new Keyring(drawKeyMaterial()), 'tokens', filter, token)).toBeNull()
      }),
    )
  })

  it('stay valid while peppers rotate, on instances with either one active', () => {
    const material = drawKeyMaterial()
    const { id, material: prepared } = withNewKey(material, 'pepper')
    const [before, after] = [new Keyring(prepared), new Keyring(withActive(prepared, id))]
    const older = sealPageToken(before, 'tokens', {}, 'cursor')
    expect(openPageToken(after, 'tokens', {}, older)).toBe('cursor')
    expect(openPageToken(before, 'tokens', {}, sealPageToken(after, 'tokens', {}, 'cursor'))).toBe('cursor')
  })

  it('cannot be modified or forged', () => {
    fc.assert(
      fc.property(fc.nat(), fc.string({ unit: 'binary' }), (at, text) => {
        const token = sealPageToken(keyring, 'tokens', {}, 'cursor')
        const index = at % token.length
        const changed = token.slice(0, index) + (token.charAt(index) === 'A' ? 'B' : 'A') + token.slice(index + 1)
        expect(openPageToken(keyring, 'tokens', {}, changed)).toBeNull()
        expect(openPageToken(keyring, 'tokens', {}, text)).toBeNull()
      }),
    )
  })
})
