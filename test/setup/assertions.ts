import { generateKeyPairSync, type JsonWebKey, type KeyObject, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'

/** A key pair that signs assertions. */
export interface SigningPair {
  readonly kid: string
  readonly algorithm: string
  readonly privateKey: KeyObject
  /** The public key as in a key set. */
  readonly publicJwk: JsonWebKey
}

const PAIRS = Object.freeze({
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
})

export const ALGORITHMS = Object.freeze(['RS256', 'PS256', 'ES256', 'EdDSA'] as const)

export function signingPair(algorithm: keyof typeof PAIRS, kid: string = randomUUID()): SigningPair {
  const { privateKey, publicKey } = PAIRS[algorithm]()
  return { kid, algorithm, privateKey, publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm } }
}

export function jwksOf(...pairs: readonly Pick<SigningPair, 'publicJwk'>[]): string {
  return JSON.stringify({ keys: pairs.map((pair) => pair.publicJwk) })
}

/** Arbitrary claims, so that a test can make invalid ones. */
export type Claims = Readonly<Record<string, unknown>>

export async function signed(pair: SigningPair, claims: Claims, header: Claims = {}): Promise<string> {
  const protectedHeader = { alg: pair.algorithm, kid: pair.kid, ...header }
  return await new SignJWT({ ...claims }).setProtectedHeader(protectedHeader).sign(pair.privateKey)
}

/** The time in seconds since 1970, relative to now. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds
}
