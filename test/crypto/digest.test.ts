import { createHash } from 'node:crypto'
import { assert, oneof, property, string, uint8Array } from 'fast-check'
import { expect, it } from 'vitest'
import { sha256 } from '../../src/crypto/digest.ts'

it('is the SHA-256 of node:crypto, of bytes and of text in UTF-8', () => {
  assert(
    property(oneof(uint8Array(), string({ unit: 'binary' })), (data) => {
      expect(sha256(data)).toEqual(createHash('sha256').update(data).digest())
    }),
  )
})
