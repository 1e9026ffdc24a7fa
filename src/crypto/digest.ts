import { hash } from 'node:crypto'

const DIGEST_BYTES = 32

/**
 * SHA-256, its first bytes in a buffer; all 32 unless `length` says so. The digest comes as
 * a string of one character a byte and is copied: memory of its own, which node:crypto
 * gives a digest as a buffer, costs more than the hash, while so few bytes lie within their
 * object. To cut them off with `subarray` would give them such memory after all.
 */
export function sha256(data: string | Uint8Array, length = DIGEST_BYTES): Buffer {
  const digest = hash('sha256', data, 'binary')
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = digest.charCodeAt(at)
  return bytes
}
