import { generateKeyPair, type KeyObject, sign, verify } from 'node:crypto'
import { promisify } from 'node:util'
import type { SigningAlgorithm } from '../domain/signing-key.ts'

/** A key pair of node:crypto. */
export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

interface Scheme {
  readonly draw: () => Promise<KeyPair>
  /** `null`: the scheme includes hashing. */
  readonly digest: 'sha256' | null
  /** The members of the public key (RFC 7518 §6, RFC 8037 §2). */
  readonly members: readonly string[]
  /** Whether signing is so slow that it runs on another thread. */
  readonly isSlow: boolean
}

const pairOf = promisify(generateKeyPair)
const signApart = promisify(sign)
const verifyApart = promisify(verify)

const RSA_BITS = 2_048

/** RFC 7518 §3.3, §3.4; RFC 8037 §3.1. Without symmetric algorithms and `none`, a key cannot be used with the wrong one. */
const SCHEMES = Object.freeze({
  ES256: {
    draw: () => pairOf('ec', { namedCurve: 'P-256' }),
    digest: 'sha256',
    members: ['kty', 'crv', 'x', 'y'],
    isSlow: false,
  },
  EdDSA: { draw: () => pairOf('ed25519'), digest: null, members: ['kty', 'crv', 'x'], isSlow: false },
  RS256: {
    draw: () => pairOf('rsa', { modulusLength: RSA_BITS }),
    digest: 'sha256',
    members: ['kty', 'n', 'e'],
    isSlow: true,
  },
} satisfies Record<SigningAlgorithm, Scheme>)

export async function drawKeyPair(algorithm: SigningAlgorithm): Promise<KeyPair> {
  return await SCHEMES[algorithm].draw()
}

/** The public members of a JWK for this algorithm, and no others. */
export function publicMembers(algorithm: SigningAlgorithm): readonly string[] {
  return SCHEMES[algorithm].members
}

/** A signature in JOSE format: for ES256, the concatenation of R and S (RFC 7518 §3.4). */
export async function signatureOf(algorithm: SigningAlgorithm, key: KeyObject, text: string): Promise<Buffer> {
  const { digest, isSlow } = SCHEMES[algorithm]
  const signer = { key, dsaEncoding: 'ieee-p1363' } as const
  return isSlow ? await signApart(digest, Buffer.from(text), signer) : sign(digest, Buffer.from(text), signer)
}

/** Verifies on another thread, so that a batch of a thousand does not delay other calls. */
export async function isSignatureOf(
  algorithm: SigningAlgorithm,
  key: KeyObject,
  text: string,
  signature: Buffer,
): Promise<boolean> {
  const verifier = { key, dsaEncoding: 'ieee-p1363' } as const
  return await verifyApart(SCHEMES[algorithm].digest, Buffer.from(text), verifier, signature)
}
