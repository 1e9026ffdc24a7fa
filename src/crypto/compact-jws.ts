import { jsonObject } from '../json-object.ts'

/** A parsed JWT in compact serialization (RFC 7515 §7.1). Its signature was not verified. */
export interface CompactJws {
  readonly text: string
  /** The first part as it is written, and its content. */
  readonly encodedHeader: string
  readonly header: JwsHeader
  readonly encodedPayload: string
  readonly signature: Buffer
}

/** The header members that are used here. Others are ignored (RFC 7515 §4). */
export interface JwsHeader {
  readonly algorithm: string
  readonly kid: string | null
  readonly type: string | null
}

/** Base64url without padding, white space or other characters (RFC 7515 §2, §5.2 items 2 and 7). */
const PARTS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/**
 * Parses a compact JWS strictly. `null`: the text is not one. All JWTs presented to this server are parsed here, because
 * decoders accept what the RFC does not: white space, padding, other alphabets, and surplus bits after the last byte. Each
 * value therefore has one spelling, and JWTs can be compared and hashed as text. Never throws.
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

/** The payload: a JSON object (RFC 7519 §7.2) without duplicate names (§4). Otherwise `null`. */
export function claimsIn({ encodedPayload }: CompactJws): Readonly<Record<string, unknown>> | null {
  return jsonObject(Buffer.from(encodedPayload, 'base64url'))
}

/** RFC 4648 §3.5: no surplus character, and the unused bits are zero. */
function isCanonical(part: string): boolean {
  const over = part.length % 4
  if (over === 0) return true
  const last = ALPHABET.indexOf(part.charAt(part.length - 1))
  return over === 2 ? (last & 0b1111) === 0 : over === 3 && (last & 0b11) === 0
}

/**
 * RFC 7515 §4: names must be unique. §4.1.11: no extension is supported, so `crit` is rejected. So is `b64` (RFC 7797), which
 * changes how the payload is encoded.
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
