import { readJsonObject } from './json-object.ts'

/** What QScope signs with; the key set pins each key to one of them. */
const ALGORITHMS = Object.freeze(['ES256', 'EdDSA', 'RS256'])
/** RFC 9068 §4; media types compare without case. */
const TYPE = /^(?:application\/)?at\+jwt$/i
/**
 * RFC 7515 §4.1.11: no extension is understood; `b64` (RFC 7797) changes what is
 * signed, whether it is called critical or not. Keys come from the key set alone.
 */
const REFUSED = Object.freeze(['crit', 'b64', 'jwk', 'jku', 'x5c', 'x5u'])
const PART = /^[A-Za-z0-9_-]+$/

/** A JWT access token that is well-formed; nothing of it is proved. */
export interface SignedToken {
  readonly alg: string
  readonly kid: string
  readonly payload: Uint8Array
}

/**
 * Takes a compact JWS apart (RFC 7515 §7.1), as strictly as it was written: three
 * parts of base64url without padding, white space or bits left over (§2), and a
 * header that names a key and an algorithm of QScope and asks for nothing else to
 * be understood. `null` for anything else.
 */
export function readSignedToken(value: string): SignedToken | null {
  const parts = value.split('.', 4).map(bytesIn)
  const [headerBytes, payload, signature, ...more] = parts
  if (headerBytes === null || headerBytes === undefined || payload === null || payload === undefined) return null
  if (signature === null || signature === undefined || more.length > 0) return null
  const header = readJsonObject(headerBytes)
  if (header === null) return null
  const { alg, kid, typ } = header
  if (typeof alg !== 'string' || !ALGORITHMS.includes(alg)) return null
  if (typeof kid !== 'string' || kid === '') return null
  if (typeof typ !== 'string' || !TYPE.test(typ)) return null
  if (REFUSED.some((name) => Object.hasOwn(header, name))) return null
  return { alg, kid, payload }
}

/** Of the one spelling that some bytes have; `null` for another. */
function bytesIn(part: string): Uint8Array | null {
  if (!PART.test(part)) return null
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes : null
}
