import { hash, timingSafeEqual } from 'node:crypto'

/** RFC 7636 §4.6, S256: BASE64URL(SHA256(code_verifier)) equals the challenge; compared in constant time. */
export function verifierMatches(verifier: string, challenge: string): boolean {
  const computed = Buffer.from(hash('sha256', verifier, 'base64url'))
  const stored = Buffer.from(challenge)
  return computed.length === stored.length && timingSafeEqual(computed, stored)
}
