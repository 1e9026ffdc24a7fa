import { jsonObject } from '../json-object.ts'

/** A JWT in its one form (RFC 7515 §7.1), taken apart; nothing of it is proved. */
export interface CompactJws {
  readonly text: string
  /** The first part as it is written, and what it says. */
  readonly encodedHeader: string
  readonly header: JwsHeader
  readonly encodedPayload: string
  readonly signature: Buffer
}

/** The members of a header that are of use here; others are ignored (RFC 7515 §4). */
export interface JwsHeader {
  readonly algorithm: string
  readonly kid: string | null
  readonly type: string | null
}

/** Base64url without padding, white space or anything else (RFC 7515 §2, §5.2 items 2 and 7). */
const PARTS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/**
 * Takes a compact JWS apart; `null` if it is none to the letter. All JWTs that
 * this server is shown pass here, because decoders forgive what the RFC does not:
 * white space, padding, alphabets, and bits beyond the last byte. A value has one
 * spelling, so that whoever compares or hashes JWTs as text is not fooled. Never throws.
 */
export function readCompactJws(text: string, longest: number): CompactJws | null {
  if (text.length > longest) return null
  const parts = PARTS.exec(text)
  if (parts === null) return null
  const [, encodedHeader = '', encodedPayload = '', encodedSignature = ''] = parts
  if (!isCanonical(encodedHeader) || !isCanonical(encodedPayload) || !isCanonical(encodedSignature)) return null
  const header = headerIn(encodedHeader)
  if (header === null) return null
  return { text, encodedHeader, header, encodedPayload, signature: Buffer.from(encodedSignature, 'base64url') }
}

/** What the payload says: a JSON object (RFC 7519 §7.2), no name of which occurs twice (§4); else `null`. */
export function claimsIn({ encodedPayload }: CompactJws): Readonly<Record<string, unknown>> | null {
  return jsonObject(Buffer.from(encodedPayload, 'base64url'))
}

/** RFC 4648 §3.5: no character too many, and the bits that say nothing are zero. */
function isCanonical(part: string): boolean {
  const over = part.length % 4
  if (over === 0) return true
  const last = ALPHABET.indexOf(part.charAt(part.length - 1))
  return over === 2 ? (last & 0b1111) === 0 : over === 3 && (last & 0b11) === 0
}

/**
 * RFC 7515 §4: names that occur once; §4.1.11: no extension is understood here, so
 * `crit` is refused, and so is `b64` (RFC 7797), under which the payload would be
 * another one than its text says.
 */
function headerIn(encoded: string): JwsHeader | null {
  const members = jsonObject(Buffer.from(encoded, 'base64url'))
  if (members === null || 'crit' in members || 'b64' in members) return null
  const { alg, kid = null, typ = null } = members
  if (typeof alg !== 'string' || !isTextOrNull(kid) || !isTextOrNull(typ)) return null
  return { algorithm: alg, kid, type: typ }
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}
