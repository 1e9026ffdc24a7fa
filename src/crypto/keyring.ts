import { createHmac, timingSafeEqual } from 'node:crypto'
import type { AuditEvent } from '../domain/audit-event.ts'
import { type KeyId, keyId, type SecretHash, type UserCodeHash } from '../domain/ids.ts'
import { randomBytes } from './random.ts'

/** What a key is for; a key never serves two purposes. */
export const KEY_PURPOSES = Object.freeze(['pepper', 'audit'] as const)
export type KeyPurpose = (typeof KEY_PURPOSES)[number]

/** Keys of one purpose: the active one makes, all of them check. */
export interface KeySet {
  readonly active: KeyId
  readonly keys: ReadonlyMap<KeyId, Buffer>
}

/** The keys that live outside the database. */
export type KeyMaterial = Readonly<Record<KeyPurpose, KeySet>>

const KEY_BYTES = 32

/** Draws a keyring with one key of each purpose. */
export function drawKeyMaterial(): KeyMaterial {
  return { pepper: drawKeySet('pepper'), audit: drawKeySet('audit') }
}

function drawKeySet(purpose: KeyPurpose): KeySet {
  const id = keyId(`${purpose}-${randomBytes(4).toString('hex')}`)
  return { active: id, keys: new Map([[id, randomBytes(KEY_BYTES)]]) }
}

/** Computes with the keyring; the keys themselves stay inside. */
export class Keyring {
  readonly #material: KeyMaterial

  constructor(material: KeyMaterial) {
    this.#material = material
  }

  /** Whether a key that the database refers to is here. */
  has(purpose: KeyPurpose, id: KeyId): boolean {
    return this.#material[purpose].keys.has(id)
  }

  active(purpose: KeyPurpose): KeyId {
    return this.#material[purpose].active
  }

  /** HMAC-SHA-256 of a client secret under a pepper; the server drew all its 256 bits, so a slow hash would buy nothing. */
  hashSecret(secret: string, pepper: KeyId = this.active('pepper')): SecretHash {
    return this.#mac('pepper', pepper, `client_secret\0${secret}`) as SecretHash
  }

  /** Compares in constant time. A secret under a pepper that is not here matches nothing, at the same cost. */
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

  /** The hashes a user code may be stored under: one for each pepper. */
  userCodeHashes(code: string): readonly UserCodeHash[] {
    return [...this.#material.pepper.keys.keys()].map((id) => this.#userCodeMac(id, code))
  }

  #userCodeMac(id: KeyId, code: string): UserCodeHash {
    return this.#mac('pepper', id, `user_code\0${code}`) as UserCodeHash
  }

  /** 16 bytes that bind a page token to the list it continues, under the active pepper. */
  pageTokenMac(text: string): Buffer {
    return this.#mac('pepper', this.active('pepper'), `page_token\0${text}`).subarray(0, 16)
  }

  /** The keyed hash of an audit event at its place in the chain of one writer. */
  auditHash(id: KeyId, previous: Buffer, writerId: string, sequence: number, event: AuditEvent): Buffer {
    const metadata = Object.entries(event.metadata).sort(([a], [b]) => (a < b ? -1 : 1))
    const text = JSON.stringify([
      previous.toString('hex'),
      writerId,
      sequence,
      event.eventId,
      event.type,
      event.rayId,
      event.clientId,
      event.userId,
      event.tokenId,
      event.grantId,
      event.actor,
      metadata,
      event.createdAt,
    ])
    return this.#mac('audit', id, text)
  }

  #mac(purpose: KeyPurpose, id: KeyId, text: string): Buffer {
    const key = this.#material[purpose].keys.get(id)
    if (key === undefined) throw new Error(`the keyring has no ${purpose} key ${id}`)
    return createHmac('sha256', key).update(text).digest()
  }
}
