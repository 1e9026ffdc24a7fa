import { hash } from 'node:crypto'

const DIGEST_BYTES = 32

/**
 * SHA-256: its first `length` bytes in a buffer. The digest is requested as a string with one character for each byte and
 * then copied. For a digest as a buffer, node:crypto allocates separate memory, which costs more than the hash, while so few
 * bytes fit into the buffer object. `subarray` would force such an allocation as well.
 */
export function sha256(data: string | Uint8Array, length = DIGEST_BYTES): Buffer {
  const digest = hash('sha256', data, 'binary')
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = digest.charCodeAt(at)
  return bytes
}
