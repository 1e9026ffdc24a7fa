import { timingSafeEqual } from 'node:crypto'
import { type EpochMs, epochMs, type KeyId, keyId, type SecretHash, type UserCodeHash } from '../domain/ids.ts'
import { REVOCATION_KEY_BYTES } from '../domain/revocation.ts'
import { seal, unseal } from './aead.ts'
import { HmacSha256 } from './hmac.ts'
import { randomBytes } from './random.ts'

/** The purpose of a key. A key never serves two purposes. */
export const KEY_PURPOSES = Object.freeze(['pepper', 'audit', 'encryption', 'revocation'] as const)
export type KeyPurpose = (typeof KEY_PURPOSES)[number]

/** Keys of one purpose. The active one signs or encrypts; all of them verify or decrypt. */
export interface KeySet {
  readonly active: KeyId
  readonly keys: ReadonlyMap<KeyId, Buffer>
  /** The creation time of each key, if the file states it. */
  readonly created: ReadonlyMap<KeyId, EpochMs>
}

/** The keys that live outside the database. */
export type KeyMaterial = Readonly<Record<KeyPurpose, KeySet>>

const KEY_BYTES = 32
/** The length of MACs that bind a token to its use. */
const SHORT_MAC_BYTES = 16

/** Generates a keyring with one key of each purpose. */
export function drawKeyMaterial(): KeyMaterial {
  return keyMaterialOf(drawKeySet)
}

/** Generates one key of a purpose, which is active. */
export function drawKeySet(purpose: KeyPurpose): KeySet {
  const { id, key, created } = drawKey(purpose)
  return { active: id, keys: new Map([[id, key]]), created: new Map([[id, created]]) }
}

/** Builds a keyring purpose by purpose. */
export function keyMaterialOf(keySet: (purpose: KeyPurpose) => KeySet): KeyMaterial {
  return {
    pepper: keySet('pepper'),
    audit: keySet('audit'),
    encryption: keySet('encryption'),
    revocation: keySet('revocation'),
  }
}

/** Generates a key, and an id that contains its purpose. */
export function drawKey(purpose: KeyPurpose): { readonly id: KeyId; readonly key: Buffer; readonly created: EpochMs } {
  const id = keyId(`${purpose}-${randomBytes(4).toString('hex')}`)
  return { id, key: randomBytes(KEY_BYTES), created: epochMs(Date.now()) }
}

/** Computes with the keyring. The keys themselves never leave it. */
export class Keyring {
  #material: KeyMaterial
  /** Created once for each key. */
  readonly #hmacs = new WeakMap<Buffer, HmacSha256>()

  constructor(material: KeyMaterial) {
    this.#material = material
  }

  /** Whether the keyring has a key that the database refers to. */
  has(purpose: KeyPurpose, id: KeyId): boolean {
    return this.#material[purpose].keys.has(id)
  }

  /** The creation time of a key. `null`: the file does not state it. */
  created(purpose: KeyPurpose, id: KeyId): EpochMs | null {
    return this.#material[purpose].created.get(id) ?? null
  }

  /** Replaces the keys, for example after the file has changed. */
  change(change: (before: KeyMaterial) => KeyMaterial): void {
    this.#material = change(this.#material)
  }

  ids(purpose: KeyPurpose): readonly KeyId[] {
    return [...this.#material[purpose].keys.keys()]
  }

  active(purpose: KeyPurpose): KeyId {
    return this.#material[purpose].active
  }

  /**
   * HMAC-SHA-256 of a client secret under a pepper. A slow hash is not needed, because the server generated all its 256
   * bits.
   */
  hashSecret(secret: string, pepper: KeyId = this.active('pepper')): SecretHash {
    return this.#mac('pepper', pepper, `client_secret\0${secret}`) as SecretHash
  }

  /** Compares in constant time. If the keyring lacks the pepper, nothing matches, at the same cost. */
  secretMatches(presented: string, stored: { readonly keyId: KeyId; readonly hash: SecretHash }): boolean {
    const known = this.has('pepper', stored.keyId)
    const computed = this.hashSecret(presented, known ? stored.keyId : this.active('pepper'))
    return timingSafeEqual(computed, stored.hash) && known
  }

  /** HMAC-SHA-256 of a user code under the active pepper. */
  hashUserCode(code: string): { readonly keyId: KeyId; readonly hash: UserCodeHash } {
    const keyId = this.active('pepper')
    return { keyId, hash: this.#userCodeMac(keyId, code) }
  }

  /** The hashes under which a user code may be stored: one for each pepper. */
  userCodeHashes(code: string): readonly UserCodeHash[] {
    return this.ids('pepper').map((id) => this.#userCodeMac(id, code))
  }

  #userCodeMac(id: KeyId, code: string): UserCodeHash {
    return this.#mac('pepper', id, `user_code\0${code}`) as UserCodeHash
  }

  /** 16 bytes that bind a page token to the list it continues, under the active pepper. */
  pageTokenMac(text: string, pepper: KeyId = this.active('pepper')): Buffer {
    return this.#mac('pepper', pepper, `page_token\0${text}`, SHORT_MAC_BYTES)
  }

  /** The valid MACs of a page token: one for each pepper, so that lists can be continued after a rotation. */
  pageTokenMacs(text: string): readonly Buffer[] {
    return this.ids('pepper').map((id) => this.pageTokenMac(text, id))
  }

  /** HMAC-SHA-256 of a text of `audit-seal.ts`. */
  auditMac(id: KeyId, text: string): Buffer {
    return this.#mac('audit', id, text)
  }

  /** HMAC-SHA-256 of a text of `revocation-keys.ts`, cut to 16 bytes. */
  revocationMac(id: KeyId, text: string): Buffer {
    return this.#mac('revocation', id, text, REVOCATION_KEY_BYTES)
  }

  /** A 16-byte MAC of the content of a revocation cursor. */
  revocationCursorMac(text: string, id: KeyId = this.active('revocation')): Buffer {
    return this.#mac('revocation', id, `cursor\0${text}`, SHORT_MAC_BYTES)
  }

  /** The valid MACs of such a cursor: one for each key. */
  revocationCursorMacs(text: string): readonly Buffer[] {
    return this.ids('revocation').map((id) => this.revocationCursorMac(text, id))
  }

  /** AES-256-GCM under the active encryption key. The ciphertext is bound to `place`, where it will be stored. */
  encrypt(place: string, plain: Buffer): { readonly keyId: KeyId; readonly sealed: Buffer } {
    const keyId = this.active('encryption')
    return { keyId, sealed: seal(this.#key('encryption', keyId), place, plain) }
  }

  /** Returns the plaintext. Throws if it was not encrypted for this place with this key. */
  decrypt(place: string, { keyId, sealed }: { readonly keyId: KeyId; readonly sealed: Buffer }): Buffer {
    return unseal(this.#key('encryption', keyId), place, sealed)
  }

  #mac(purpose: KeyPurpose, id: KeyId, text: string, length?: number): Buffer {
    return this.#hmacUnder(this.#key(purpose, id)).of(text, length)
  }

  #hmacUnder(key: Buffer): HmacSha256 {
    const known = this.#hmacs.get(key)
    if (known !== undefined) return known
    const made = new HmacSha256(key)
    this.#hmacs.set(key, made)
    return made
  }

  #key(purpose: KeyPurpose, id: KeyId): Buffer {
    const key = this.#material[purpose].keys.get(id)
    if (key === undefined) throw new Error(`the keyring has no ${purpose} key ${id}`)
    return key
  }
}
