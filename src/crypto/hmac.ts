import { hash } from 'node:crypto'
import { sha256 } from './digest.ts'

/** SHA-256: the block size and the digest size. */
const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
const INNER = 0x36
const OUTER = 0x5c
/** Fits the texts of audit events and secrets. Longer texts get their own buffer. */
const SCRATCH_BYTES = 4_096
/** The most bytes of UTF-8 for each code unit of a string. */
const BYTES_PER_UNIT = 3

/**
 * HMAC-SHA-256 (RFC 2104) under one key, built on the one-shot hash of node:crypto. An `Hmac` object for each text costs four
 * times as much.
 */
export class HmacSha256 {
  /** The key padded for the inner hash, followed by space for a text. */
  readonly #inner = Buffer.alloc(BLOCK_BYTES + SCRATCH_BYTES)
  /** The key padded for the outer hash, followed by space for the inner digest. */
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES)

  /** @throws RangeError for a key of more than 64 bytes, which would have to be hashed first. */
  constructor(key: Uint8Array) {
    if (key.length > BLOCK_BYTES) throw new RangeError(`a key of HMAC-SHA-256 has at most ${BLOCK_BYTES} bytes here`)
    for (let at = 0; at < BLOCK_BYTES; at += 1) {
      const byte = key[at] ?? 0
      this.#inner[at] = byte ^ INNER
      this.#outer[at] = byte ^ OUTER
    }
  }

  /** The HMAC of a text in UTF-8: its first `length` bytes. */
  of(text: string, length = DIGEST_BYTES): Buffer {
    this.#outer.write(this.#innerDigest(text), BLOCK_BYTES, 'latin1')
    return sha256(this.#outer, length)
  }

  /** As a string with one character for each byte. */
  #innerDigest(text: string): string {
    if (text.length * BYTES_PER_UNIT > SCRATCH_BYTES) {
      return hash('sha256', Buffer.concat([this.#inner.subarray(0, BLOCK_BYTES), Buffer.from(text)]), 'binary')
    }
    const end = BLOCK_BYTES + this.#inner.write(text, BLOCK_BYTES)
    const digest = hash('sha256', this.#inner.subarray(0, end), 'binary')
    // The text may be secret.
    this.#inner.fill(0, BLOCK_BYTES, end)
    return digest
  }
}
