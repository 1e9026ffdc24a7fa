import { hash, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { RawToken, TokenHash } from '../domain/ids.ts'
import { sha256 } from './digest.ts'
import { randomBytes } from './random.ts'

/** The kinds of bearer values, by prefix. */
const PREFIXES = Object.freeze({
  access: 'qat_',
  refresh: 'qrt_',
  authorization_code: 'qac_',
  device_code: 'qdc_',
  client_secret: 'qcs_',
})

export type TokenKind = keyof typeof PREFIXES

const KINDS: ReadonlyMap<string, TokenKind> = new Map(
  (Object.keys(PREFIXES) as TokenKind[]).map((kind) => [PREFIXES[kind], kind]),
)
const RANDOM_BYTES = 32
const PREFIX_LENGTH = 4
const RANDOM_LENGTH = base62Length(RANDOM_BYTES)
const CHECKSUM_LENGTH = base62Length(4)
const BODY_LENGTH = PREFIX_LENGTH + RANDOM_LENGTH
/** The length of every bearer value, in characters of ASCII. */
export const TOKEN_LENGTH = BODY_LENGTH + CHECKSUM_LENGTH
const DIGITS = /^[0-9A-Za-z]+$/

/**
 * Generates a bearer value: a prefix, 256 random bits as 43 base62 digits, and the CRC-32 of both as 6 more. The
 * checksum saves a query for mistyped values, and gives secret scanners a precise pattern.
 */
export function drawToken(kind: TokenKind): RawToken {
  const body = PREFIXES[kind] + base62(randomBytes(RANDOM_BYTES))
  return (body + checksum(body)) as RawToken
}

/** Parses a presented value: its kind, or `null` if it cannot be one of ours. */
export function readToken(value: string): { readonly kind: TokenKind; readonly token: RawToken } | null {
  if (value.length !== TOKEN_LENGTH) return null
  const kind = KINDS.get(value.slice(0, PREFIX_LENGTH))
  if (kind === undefined || !DIGITS.test(value.slice(PREFIX_LENGTH))) return null
  const body = value.slice(0, BODY_LENGTH)
  return checksum(body) === value.slice(BODY_LENGTH) ? { kind, token: value as RawToken } : null
}

/** SHA-256. A slow hash is not needed, because 256 random bits cannot be guessed. */
export function hashToken(token: RawToken): TokenHash {
  return sha256(token) as TokenHash
}

function checksum(body: string): string {
  return base62Number(crc32(body), CHECKSUM_LENGTH)
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Two digits at a time, of 62^2 = 3844. */
const PAIRS: readonly string[] = Array.from({ length: 62 ** 2 }, (_, value) => base62Number(value, 2))
/** Eight digits at a time, as four pairs: 62^8 < 2^53, so that a remainder is exact in a double. */
const CHUNK_DIGITS = 8
const CHUNK = 62n ** BigInt(CHUNK_DIGITS)

/** The number of base62 digits for `bytes` bytes. */
export function base62Length(bytes: number): number {
  return Math.ceil((bytes * 8) / Math.log2(62))
}

/** The big-endian number in `bytes` in base62, padded with zeros to its full length. */
export function base62(bytes: Buffer): string {
  let rest = BigInt(`0x${bytes.toString('hex')}`)
  const length = base62Length(bytes.length)
  let digits = ''
  while (digits.length < length) {
    const above = rest / CHUNK
    digits = eightDigits(Number(rest - above * CHUNK)) + digits
    rest = above
  }
  return digits.slice(-length)
}

function eightDigits(value: number): string {
  let rest = value
  let digits = ''
  while (digits.length < CHUNK_DIGITS) {
    const above = Math.floor(rest / PAIRS.length)
    digits = (PAIRS[rest - above * PAIRS.length] ?? '') + digits
    rest = above
  }
  return digits
}

/** A non-negative integer in base62 of exactly `length` digits. */
export function base62Number(value: number, length: number): string {
  let rest = value
  let digits = ''
  for (let i = 0; i < length; i += 1) {
    digits = ALPHABET.charAt(rest % 62) + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}

/** RFC 7636 §4.6, S256: BASE64URL(SHA256(code_verifier)) equals the challenge; compared in constant time. */
export function verifierMatches(verifier: string, challenge: string): boolean {
  const computed = Buffer.from(hash('sha256', verifier, 'base64url'))
  const stored = Buffer.from(challenge)
  return computed.length === stored.length && timingSafeEqual(computed, stored)
}
