import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  base62,
  base62Length,
  base62Number,
  drawToken,
  hashToken,
  readToken,
  type TokenKind,
} from '../../src/crypto/token.ts'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const kinds = fc.constantFrom<TokenKind>('access', 'refresh', 'authorization_code', 'device_code', 'client_secret')

/** Base62 by the definition, with big integers. */
function reference(bytes: Uint8Array): string {
  let rest = BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`)
  let digits = ''
  while (rest > 0n) {
    digits = ALPHABET.charAt(Number(rest % 62n)) + digits
    rest /= 62n
  }
  return digits.padStart(base62Length(bytes.length), '0')
}

describe('base62', () => {
  it('is the big-endian number, padded to its full length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        expect(base62(Buffer.from(bytes))).toBe(reference(bytes))
      }),
    )
    expect(base62(Buffer.alloc(32))).toBe('0'.repeat(43))
    expect(base62(Buffer.alloc(32, 255))).toBe(reference(new Uint8Array(32).fill(255)))
    expect(base62Number(61, 2)).toBe('0z')
  })
})

describe('tokens', () => {
  it('have a prefix, 43 digits and the CRC-32 of both as 6 more', () => {
    fc.assert(
      fc.property(kinds, (kind) => {
        const token = drawToken(kind)
        expect(token).toMatch(/^q(at|rt|ac|dc|cs)_[0-9A-Za-z]{49}$/)
        expect(token.slice(47)).toBe(base62Number(crc32(token.slice(0, 47)), 6))
        expect(readToken(token)).toEqual({ kind, token })
      }),
    )
  })

  it('are never generated twice', () => {
    const drawn = new Set(Array.from({ length: 10_000 }, () => drawToken('access')))
    expect(drawn.size).toBe(10_000)
  })

  it('are invalid with a mistyped character at any place', () => {
    fc.assert(
      fc.property(kinds, fc.nat({ max: 52 }), fc.constantFrom(...ALPHABET, '-', 'ä', ' '), (kind, at, other) => {
        const token = drawToken(kind)
        fc.pre(token.charAt(at) !== other)
        expect(readToken(token.slice(0, at) + other + token.slice(at + 1))).toBeNull()
      }),
      { numRuns: 2_000 },
    )
  })

  it('are invalid with two swapped characters', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 51 }), (at) => {
        const token = drawToken('access')
        fc.pre(token.charAt(at) !== token.charAt(at + 1))
        const swapped = token.slice(0, at) + token.charAt(at + 1) + token.charAt(at) + token.slice(at + 2)
        expect(readToken(swapped)).toBeNull()
      }),
    )
  })

  it('are rejected when shortened, lengthened or of another form', () => {
    const token = drawToken('access')
    for (const wrong of ['', 'qat_', token.slice(0, -1), `${token}0`, ` ${token}`, `${token}\n`, token.toUpperCase()]) {
      expect(readToken(wrong)).toBeNull()
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        expect(readToken(text)).toBeNull()
      }),
    )
  })

  it('are stored as their SHA-256', () => {
    const token = drawToken('access')
    expect(hashToken(token)).toEqual(createHash('sha256').update(token).digest())
  })
})
