import type { KeyObject } from 'node:crypto'
import type { RawToken, SigningKeyId } from '../domain/ids.ts'
import type { SigningAlgorithm, SigningKey } from '../domain/signing-key.ts'
import { type CompactJws, claimsIn, readCompactJws } from './compact-jws.ts'
import { isSignatureOf, signatureOf } from './signature.ts'

/** Longer values are not parsed and not issued. */
export const LONGEST_JWT = 8_192

/**
 * The purpose of a JWT of this service: an access token (RFC 9068 §2.1), a signed introspection (RFC 9701 §5), the context of
 * a transaction (draft-ietf-oauth-transaction-tokens), or an identity token for other recipients (`JWT`). Each purpose has
 * its own type, so that one cannot be used as another (RFC 8725 §3.11).
 */
export type JwtType = 'at+jwt' | 'token-introspection+jwt' | 'txntoken+jwt' | 'JWT'

/** A presented value in the form of a JWT. Its signature was not verified. */
export interface UnprovedJwt {
  readonly value: RawToken
  /** The `kid` of the header. */
  readonly keyId: string
  readonly jws: CompactJws
}

/** Parses a presented value. `null`: it is not a compact JWS with a `kid`. */
export function readJwt(value: string): UnprovedJwt | null {
  const jws = readCompactJws(value, LONGEST_JWT)
  const keyId = jws?.header.kid ?? null
  return jws === null || keyId === null ? null : { value: value as RawToken, keyId, jws }
}

/** Signs claims. The header contains only algorithm, type and key id. */
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
 * Returns the claims of a JWT of this type if this key signed it. Otherwise `null`. The header must equal exactly the one
 * that this service writes for the key. The token therefore cannot choose the algorithm, the type is right (RFC 9068 §4), and
 * the header contains nothing else.
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
