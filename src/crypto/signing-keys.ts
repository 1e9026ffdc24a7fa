import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { BoundedMap } from '../bounded-map.ts'
import { type RawToken, type SigningKeyId, signingKeyId } from '../domain/ids.ts'
import type { PublicJwk, SealedPrivateKey, SigningAlgorithm, SigningKey } from '../domain/signing-key.ts'
import { claimsOf, type JwtType, signJwt, type UnprovedJwt } from './jwt.ts'
import type { Keyring } from './keyring.ts'
import { uuidV7 } from './random.ts'
import { drawKeyPair, publicMembers } from './signature.ts'

/** More keys than are ever in use at once. */
const MOST_KEPT = 64

type Verifying = Pick<SigningKey, 'keyId' | 'algorithm'> & { readonly publicKey: KeyObject }

/**
 * Signs and verifies with the keys of the database. An opened key is cached, because it never changes. Its state is not
 * cached: the caller reads it for every token.
 */
export class SigningKeys {
  readonly #keyring: Keyring
  readonly #private = new BoundedMap<SigningKeyId, KeyObject>(MOST_KEPT)
  readonly #public = new BoundedMap<string, Verifying>(MOST_KEPT)
  readonly #drawing = new Map<SigningAlgorithm, Promise<DrawnSigningKey>>()

  constructor(keyring: Keyring) {
    this.#keyring = keyring
  }

  /** Generates a key, which takes a while for RS256. Concurrent callers get the same key. */
  async draw(algorithm: SigningAlgorithm): Promise<DrawnSigningKey> {
    const underWay = this.#drawing.get(algorithm)
    if (underWay !== undefined) return await underWay
    const drawing = drawSigningKey(this.#keyring, signingKeyId(uuidV7()), algorithm)
    this.#drawing.set(algorithm, drawing)
    try {
      return await drawing
    } finally {
      this.#drawing.delete(algorithm)
    }
  }

  /** Throws if the private key was erased or cannot be decrypted. */
  async sign(type: JwtType, key: SigningKey, claims: object): Promise<RawToken> {
    return await signJwt(type, key, this.#privateKeyOf(key), claims)
  }

  /** Whether the key is cached, so that verification need not read it. */
  knows(keyId: string): boolean {
    return this.#public.has(keyId)
  }

  learn(key: SigningKey): void {
    if (this.knows(key.keyId)) return
    const { keyId, algorithm } = key
    this.#public.set(keyId, { keyId, algorithm, publicKey: openPublicKey(key) })
  }

  /** The claims of a JWT of this type that a cached key signed. Otherwise `null`. */
  async claimsOf(type: JwtType, jwt: UnprovedJwt): Promise<Readonly<Record<string, unknown>> | null> {
    const key = this.#public.get(jwt.keyId)
    return key === undefined ? null : await claimsOf(type, jwt, key, key.publicKey)
  }

  #privateKeyOf(key: SigningKey): KeyObject {
    const known = this.#private.get(key.keyId)
    if (known !== undefined) return known
    if (key.privateKey === null) throw new Error(`the signing key ${key.keyId} signs no more`)
    const opened = openPrivateKey(this.#keyring, key, key.privateKey)
    this.#private.set(key.keyId, opened)
    return opened
  }
}

/** The identifying parts of a signing key. */
type Identity = Pick<SigningKey, 'keyId' | 'algorithm' | 'publicJwk'>

/** A key pair with an encrypted private key. */
export type DrawnSigningKey = Identity & { readonly privateKey: SealedPrivateKey }

/** Generates a key pair. The private key is returned only encrypted. */
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

/** Decrypts the private key. Throws if the keyring lacks the encryption key, or if the private key belongs to another row. */
export function openPrivateKey(keyring: Keyring, identity: Identity, sealed: SealedPrivateKey): KeyObject {
  const plain = keyring.decrypt(placeOf(identity), sealed)
  try {
    return createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' })
  } finally {
    plain.fill(0)
  }
}

function openPublicKey({ publicJwk }: Pick<SigningKey, 'publicJwk'>): KeyObject {
  return createPublicKey({ key: { ...publicJwk }, format: 'jwk' })
}

function jwkOf(algorithm: SigningAlgorithm, key: KeyObject): PublicJwk {
  const all = new Map(Object.entries(key.export({ format: 'jwk' })))
  return Object.freeze(Object.fromEntries(publicMembers(algorithm).map((name) => [name, String(all.get(name))])))
}

/** The row that the private key is bound to, including the public key. In another row it cannot be decrypted. */
function placeOf({ keyId, algorithm, publicJwk }: Identity): string {
  const members = publicMembers(algorithm).map((name) => publicJwk[name])
  return JSON.stringify(['qscope signing key', keyId, algorithm, ...members])
}
