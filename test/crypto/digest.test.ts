import { createHash } from 'node:crypto'
import { assert, integer, oneof, property, string, uint8Array } from 'fast-check'
import { expect, it } from 'vitest'
import { sha256 } from '../../src/crypto/digest.ts'

it('is the SHA-256 of node:crypto, of bytes and of text in UTF-8', () => {
  assert(
    property(oneof(uint8Array(), string({ unit: 'binary' })), (data) => {
      expect(sha256(data)).toEqual(createHash('sha256').update(data).digest())
    }),
  )
})

it('returns the first bytes if fewer are requested', () => {
  assert(
    property(uint8Array(), integer({ min: 0, max: 32 }), (data, length) => {
      expect(sha256(data, length)).toEqual(sha256(data).subarray(0, length))
    }),
  )
})
