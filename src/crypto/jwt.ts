import type { KeyObject } from 'node:crypto'
import type { RawToken, SigningKeyId } from '../domain/ids.ts'
import type { SigningAlgorithm, SigningKey } from '../domain/signing-key.ts'
import { type CompactJws, claimsIn, readCompactJws } from './compact-jws.ts'
import { isSignatureOf, signatureOf } from './signature.ts'

/** Longer values are not looked at, and none is issued. */
export const LONGEST_JWT = 8_192

/**
 * What a JWT of this service is for: an access token (RFC 9068 §2.1), a signed
 * introspection (RFC 9701 §5), the context of a transaction (draft-ietf-oauth-transaction-tokens), or an identity that is shown
 * outside (`JWT`). One type
 * for each purpose, so that none is taken for another (RFC 8725 §3.11).
 */
export type JwtType = 'at+jwt' | 'token-introspection+jwt' | 'txntoken+jwt' | 'JWT'

/** A presented value that has the form of a JWT; nothing of it is proved. */
export interface UnprovedJwt {
  readonly value: RawToken
  /** Which key it says that it was signed with. */
  readonly keyId: string
  readonly jws: CompactJws
}

/** Reads a presented value; `null` if it is no compact JWS that names a key. */
export function readJwt(value: string): UnprovedJwt | null {
  const jws = readCompactJws(value, LONGEST_JWT)
  const keyId = jws?.header.kid ?? null
  return jws === null || keyId === null ? null : { value: value as RawToken, keyId, jws }
}

/** Signs claims; the header says nothing but algorithm, type and key. */
export async function signJwt(
  type: JwtType,
  { keyId, algorithm }: Pick<SigningKey, 'keyId' | 'algorithm'>,
  privateKey: KeyObject,
  claims: object,
): Promise<RawToken> {
  const text = `${headerOf(type, keyId, algorithm)}.${encode(claims)}`
  const signature = await signatureOf(algorithm, privateKey, text)
  return `${text}.${signature.toString('base64url')}` as RawToken
}

/**
 * The claims of a JWT of this type that this key signed, or `null`. The header must be, to
 * the letter, the one that this service writes for the key: so the algorithm is
 * the key's and not the token's to choose, the type is right (RFC 9068 §4), and
 * nothing else is in it.
 */
export async function claimsOf(
  type: JwtType,
  { jws }: UnprovedJwt,
  { keyId, algorithm }: Pick<SigningKey, 'keyId' | 'algorithm'>,
  publicKey: KeyObject,
): Promise<Readonly<Record<string, unknown>> | null> {
  const { encodedHeader, encodedPayload, signature } = jws
  if (encodedHeader !== headerOf(type, keyId, algorithm)) return null
  const proved = await isSignatureOf(algorithm, publicKey, `${encodedHeader}.${encodedPayload}`, signature)
  return proved ? claimsIn(jws) : null
}

function headerOf(typ: JwtType, kid: SigningKeyId, alg: SigningAlgorithm): string {
  return encode({ alg, typ, kid })
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
