import { hash } from 'node:crypto'

/**
 * SHA-256, its bytes in a buffer. The digest comes as a string of one character a byte
 * and is copied: memory of its own, which node:crypto gives a digest as a buffer, costs
 * more than the hash, while so few bytes lie within their object.
 */
export function sha256(data: string | Uint8Array): Buffer {
  const digest = hash('sha256', data, 'binary')
  const bytes = Buffer.alloc(digest.length)
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = digest.charCodeAt(at)
  return bytes
}
