import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { SigningKeyId } from '../domain/ids.ts'
import type { PublicJwk, SealedPrivateKey, SigningAlgorithm, SigningKey } from '../domain/signing-key.ts'
import type { Keyring } from './keyring.ts'
import { drawKeyPair, publicMembers } from './signature.ts'

/** The parts of a signing key that say which key it is. */
type Identity = Pick<SigningKey, 'keyId' | 'algorithm' | 'publicJwk'>

/** A key pair, its private half encrypted. */
export type DrawnSigningKey = Identity & { readonly privateKey: SealedPrivateKey }

/** Draws a key pair; the private half leaves this function encrypted only. */
export async function drawSigningKey(
  keyring: Keyring,
  keyId: SigningKeyId,
  algorithm: SigningAlgorithm,
): Promise<DrawnSigningKey> {
  const { publicKey, privateKey } = await drawKeyPair(algorithm)
  const identity = { keyId, algorithm, publicJwk: jwkOf(algorithm, publicKey) }
  const plain = privateKey.export({ format: 'der', type: 'pkcs8' })
  const sealed = keyring.encrypt(placeOf(identity), plain)
  plain.fill(0)
  return { ...identity, privateKey: sealed }
}

/** The private key; throws if the keyring lacks its encryption key, or if it was stored for another row. */
export function openPrivateKey(keyring: Keyring, identity: Identity, sealed: SealedPrivateKey): KeyObject {
  const plain = keyring.decrypt(placeOf(identity), sealed)
  try {
    return createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' })
  } finally {
    plain.fill(0)
  }
}

export function openPublicKey({ publicJwk }: Pick<SigningKey, 'publicJwk'>): KeyObject {
  return createPublicKey({ key: { ...publicJwk }, format: 'jwk' })
}

function jwkOf(algorithm: SigningAlgorithm, key: KeyObject): PublicJwk {
  const all = new Map(Object.entries(key.export({ format: 'jwk' })))
  return Object.freeze(Object.fromEntries(publicMembers(algorithm).map((name) => [name, String(all.get(name))])))
}

/** The row that a private key is bound to, its public half included: moved to another it does not open. */
function placeOf({ keyId, algorithm, publicJwk }: Identity): string {
  const members = publicMembers(algorithm).map((name) => publicJwk[name])
  return JSON.stringify(['qscope signing key', keyId, algorithm, ...members])
}
