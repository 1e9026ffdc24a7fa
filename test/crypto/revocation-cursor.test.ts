import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { drawKey, drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import {
  MAX_CURSOR_LENGTH,
  openRevocationCursor,
  type RevocationCursor,
  sealRevocationCursor,
} from '../../src/crypto/revocation-cursor.ts'
import { epochMs } from '../../src/domain/ids.ts'

const DATABASE = 1_764_000_000_123
const NOW = epochMs(1_764_600_000_000)
const keyring = new Keyring(drawKeyMaterial())
const cursorOf = (marks: readonly (readonly [number, number, number])[]): RevocationCursor => ({
  database: DATABASE,
  madeAt: NOW,
  position: new Map(marks.map(([writer, sequence, entry]) => [writer, { sequence, entry }])),
})
const sealed = (cursor: RevocationCursor, reader = 'reader') => sealRevocationCursor(keyring, reader, cursor) ?? ''

describe('a cursor of revocations', () => {
  it('opens to what was sealed, whatever the numbers', () => {
    const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
    const marks = fc.uniqueArray(fc.tuple(whole, whole, fc.integer({ min: 0, max: 65_535 })), {
      selector: ([writer]) => writer,
      maxLength: 20,
    })
    fc.assert(
      fc.property(marks, whole, whole, (given, database, madeAt) => {
        const cursor = { ...cursorOf(given), database, madeAt: epochMs(madeAt) }
        expect(openRevocationCursor(keyring, 'reader', sealed(cursor))).toEqual(cursor)
      }),
    )
  })

  it('opens only for its reader, and only unmodified', () => {
    const text = sealed(cursorOf([[1, 7, 3]]))
    expect(openRevocationCursor(keyring, 'another', text)).toBeNull()
    expect(openRevocationCursor(new Keyring(drawKeyMaterial()), 'reader', text)).toBeNull()
    for (let at = 0; at < text.length; at += 1) {
      const other = text[at] === 'A' ? 'B' : 'A'
      expect(openRevocationCursor(keyring, 'reader', text.slice(0, at) + other + text.slice(at + 1))).toBeNull()
      expect(openRevocationCursor(keyring, 'reader', text.slice(0, at))).toBeNull()
    }
    fc.assert(fc.property(fc.string(), (any) => openRevocationCursor(keyring, 'reader', any) === null))
  })

  it('opens as long as its key is in the keyring', () => {
    const rotating = new Keyring(drawKeyMaterial())
    const before = sealRevocationCursor(rotating, 'reader', cursorOf([])) ?? ''
    const { id, key, created } = drawKey('revocation')
    const addKey = (keepsOld: boolean) =>
      rotating.change((material) => ({
        ...material,
        revocation: {
          active: id,
          keys: new Map([...(keepsOld ? material.revocation.keys : []), [id, key]]),
          created: new Map([[id, created]]),
        },
      }))
    addKey(true)
    expect(openRevocationCursor(rotating, 'reader', before)).toEqual(cursorOf([]))
    addKey(false)
    expect(openRevocationCursor(rotating, 'reader', before)).toBeNull()
  })

  it('fits the writers of a large installation into 4 KiB, and is not created for more', () => {
    const writers = (count: number) => cursorOf(Array.from({ length: count }, (_, n) => [1_000_000 + n * 3, 90_000, n]))
    const text = sealRevocationCursor(keyring, 'reader', writers(500)) ?? ''
    expect(text.length).toBeLessThanOrEqual(MAX_CURSOR_LENGTH)
    expect(openRevocationCursor(keyring, 'reader', text)?.position.size).toBe(500)
    expect(sealRevocationCursor(keyring, 'reader', writers(600))).toBeNull()
  })
})
