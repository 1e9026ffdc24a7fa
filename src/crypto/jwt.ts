import type { KeyObject } from 'node:crypto'
import type { RawToken, SigningKeyId } from '../domain/ids.ts'
import type { SigningAlgorithm, SigningKey } from '../domain/signing-key.ts'
import { isSignatureOf, signatureOf } from './signature.ts'

/** Longer values are not looked at, and none is issued. */
export const LONGEST_JWT = 8_192

/** RFC 9068 §2.1. */
const TYPE = 'at+jwt'
const PARTS = /^([A-Za-z0-9_-]{1,512})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/

/** A presented value that has the form of a JWT; nothing of it is proved. */
export interface UnprovedJwt {
  readonly value: RawToken
  /** Which key it says that it was signed with. */
  readonly keyId: string
  readonly header: string
  readonly payload: string
  readonly signature: Buffer
}

/** Takes a presented value apart; `null` if it is no compact JWS (RFC 7515 §7.1) that names a key. */
export function readJwt(value: string): UnprovedJwt | null {
  if (value.length > LONGEST_JWT) return null
  const [, header = '', payload = '', signed = ''] = PARTS.exec(value) ?? []
  const signature = Buffer.from(signed, 'base64url')
  // One value, one spelling: bits beyond the last byte are zero.
  if (header === '' || signature.toString('base64url') !== signed) return null
  const keyId = objectIn(header)?.['kid']
  return typeof keyId === 'string' ? { value: value as RawToken, keyId, header, payload, signature } : null
}

/** Signs claims; the header says nothing but algorithm, type and key. */
export async function signJwt(
  { keyId, algorithm }: Pick<SigningKey, 'keyId' | 'algorithm'>,
  privateKey: KeyObject,
  claims: object,
): Promise<RawToken> {
  const text = `${headerOf(keyId, algorithm)}.${encode(claims)}`
  const signature = await signatureOf(algorithm, privateKey, text)
  return `${text}.${signature.toString('base64url')}` as RawToken
}

/**
 * The claims of a JWT that this key signed, or `null`. The header must be, to
 * the letter, the one that this service writes for the key: so the algorithm is
 * the key's and not the token's to choose, the type is right (RFC 9068 §4), and
 * nothing else is in it.
 */
export async function claimsOf(
  jwt: UnprovedJwt,
  { keyId, algorithm }: Pick<SigningKey, 'keyId' | 'algorithm'>,
  publicKey: KeyObject,
): Promise<Readonly<Record<string, unknown>> | null> {
  if (jwt.header !== headerOf(keyId, algorithm)) return null
  const proved = await isSignatureOf(algorithm, publicKey, `${jwt.header}.${jwt.payload}`, jwt.signature)
  return proved ? objectIn(jwt.payload) : null
}

function headerOf(kid: SigningKeyId, alg: SigningAlgorithm): string {
  return encode({ alg, typ: TYPE, kid })
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function objectIn(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    return null
  }
}
