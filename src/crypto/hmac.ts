import { hash } from 'node:crypto'
import { sha256 } from './digest.ts'

/** Of SHA-256: what it compresses at a time, and what it yields. */
const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
const INNER = 0x36
const OUTER = 0x5c
/** Holds the texts of audit events and secrets; a longer text takes a buffer of its own. */
const SCRATCH_BYTES = 4_096
/** UTF-8 takes at most so many bytes for a code unit of a string. */
const BYTES_PER_UNIT = 3

/**
 * HMAC-SHA-256 (RFC 2104) under one key, from the one-shot hash of node:crypto: an
 * `Hmac` object for each text costs four times as much.
 */
export class HmacSha256 {
  /** The key padded for the inner hash, and room for a text behind it. */
  readonly #inner = Buffer.alloc(BLOCK_BYTES + SCRATCH_BYTES)
  /** The key padded for the outer hash, and room for the inner digest behind it. */
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

  /** Of a text in UTF-8: the first bytes, all 32 unless `length` says so. */
  of(text: string, length = DIGEST_BYTES): Buffer {
    this.#outer.write(this.#innerDigest(text), BLOCK_BYTES, 'latin1')
    return sha256(this.#outer, length)
  }

  /** As a string of one character a byte. */
  #innerDigest(text: string): string {
    if (text.length * BYTES_PER_UNIT > SCRATCH_BYTES) {
      return hash('sha256', Buffer.concat([this.#inner.subarray(0, BLOCK_BYTES), Buffer.from(text)]), 'binary')
    }
    const end = BLOCK_BYTES + this.#inner.write(text, BLOCK_BYTES)
    const digest = hash('sha256', this.#inner.subarray(0, end), 'binary')
    // The text may be a secret.
    this.#inner.fill(0, BLOCK_BYTES, end)
    return digest
  }
}
