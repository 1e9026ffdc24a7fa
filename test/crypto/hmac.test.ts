import { createHmac } from 'node:crypto'
import { assert, oneof, property, string, uint8Array } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HmacSha256 } from '../../src/crypto/hmac.ts'

const keys = uint8Array({ maxLength: 64 })
/** Lone halves of characters among them, and texts that do not fit where most do. */
const texts = oneof(
  string({ unit: 'binary' }),
  string({ unit: 'binary', minLength: 1_300, maxLength: 6_000, size: 'max' }),
)

describe('HMAC-SHA-256', () => {
  it('equals that of node:crypto, whatever was computed before', () => {
    assert(
      property(keys, texts, texts, (key, before, text) => {
        const hmac = new HmacSha256(key)
        for (const one of [before, text, '']) {
          const digest = createHmac('sha256', key).update(one).digest()
          expect(hmac.of(one)).toEqual(digest)
          expect(hmac.of(one, 16)).toEqual(digest.subarray(0, 16))
        }
      }),
    )
  })

  it('is that of RFC 4231, test cases 1 and 2', () => {
    expect(new HmacSha256(Buffer.alloc(20, 0x0b)).of('Hi There').toString('hex')).toBe(
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    )
    expect(new HmacSha256(Buffer.from('Jefe')).of('what do ya want for nothing?').toString('hex')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
  })

  it('rejects a key that would have to be hashed first', () => {
    expect(() => new HmacSha256(Buffer.alloc(65))).toThrow(RangeError)
  })
})
