import { REVOCATION_KEY_BYTES, type RevocableFact } from '../domain/revocation.ts'
import type { Keyring } from './keyring.ts'

/**
 * What tokens carry for each fact that can end them, and what is told when it does:
 * HMAC-SHA-256 under a key of the keyring, cut to 16 bytes. Whoever sees a key learns
 * nothing of whom it is about, and nobody can make one.
 */
export class RevocationKeys {
  readonly #keyring: Keyring

  constructor(keyring: Keyring) {
    this.#keyring = keyring
  }

  /** What a token that is issued or checked now carries for a fact. */
  keyOf(fact: RevocableFact): Buffer {
    return this.#keyring
      .revocationMac(this.#keyring.active('revocation'), textOf(fact))
      .subarray(0, REVOCATION_KEY_BYTES)
  }

  /** What is told when it ends: under every key, for tokens made under an older one, or by an instance that has a newer one. */
  keysOf(fact: RevocableFact): readonly Buffer[] {
    const text = textOf(fact)
    return this.#keyring
      .ids('revocation')
      .map((id) => this.#keyring.revocationMac(id, text).subarray(0, REVOCATION_KEY_BYTES))
  }
}

/** Begins with the kind, so that no fact is taken for another one; no id holds a NUL. */
function textOf(fact: RevocableFact): string {
  switch (fact.kind) {
    case 'token':
      return `token\0${fact.tokenId}`
    case 'grant':
      return `grant\0${fact.grantId}`
    case 'client':
      return `client\0${fact.clientId}\0${fact.generation}`
    case 'user':
      return `user\0${fact.userId}\0${fact.generation}`
    case 'signing_key':
      return `signing_key\0${fact.keyId}`
    default:
      return fact satisfies never
  }
}
