import { BoundedMap } from '../bounded-map.ts'
import type { KeyId, TokenId } from '../domain/ids.ts'
import {
  REVOCATION_KEY_BYTES,
  type RevocableFact,
  type RevocableToken,
  revocableFactsOf,
} from '../domain/revocation.ts'
import type { Keyring } from './keyring.ts'

/** To look keys up costs a tenth of an HMAC, and tokens that are checked are checked again: some 8 MB in all. */
const MOST_REMEMBERED = 16_384

/**
 * What tokens carry for each fact that can end them, and what is told when it does:
 * HMAC-SHA-256 under a key of the keyring, cut to 16 bytes. Whoever sees a key learns
 * nothing of whom it is about, and nobody can make one.
 */
export class RevocationKeys {
  readonly #keyring: Keyring
  /** What was computed under the active key, by what it was made of. */
  readonly #ofFacts = new BoundedMap<string, Buffer>(MOST_REMEMBERED)
  /** What a token carries never changes, and its id is no other token's. */
  readonly #ofTokens = new BoundedMap<TokenId, readonly Buffer[]>(MOST_REMEMBERED)
  #rememberedUnder: KeyId | null = null

  constructor(keyring: Keyring) {
    this.#keyring = keyring
  }

  /** What a token that is issued or checked now carries: the keys of its facts and its ancestors', each once. */
  ofToken(token: RevocableToken, ancestors: readonly RevocableToken[]): readonly Buffer[] {
    this.#forgetOfOtherKeys()
    const known = this.#ofTokens.get(token.tokenId)
    if (known !== undefined) return known
    const texts = new Set([token, ...ancestors].flatMap(revocableFactsOf).map(textOf))
    const keys = Object.freeze(Array.from(texts, (text) => this.#activeKey(text)))
    this.#ofTokens.set(token.tokenId, keys)
    return keys
  }

  /** The key that a fact has for those who are told of it now. */
  of(fact: RevocableFact): Buffer {
    this.#forgetOfOtherKeys()
    return this.#activeKey(textOf(fact))
  }

  /** What is told when it ends: under every key, for tokens made under an older one, or by an instance that has a newer one. */
  keysOf(fact: RevocableFact): readonly Buffer[] {
    const text = textOf(fact)
    return this.#keyring.ids('revocation').map((id) => this.#compute(id, text))
  }

  #activeKey(text: string): Buffer {
    const known = this.#ofFacts.get(text)
    if (known !== undefined) return known
    const key = this.#compute(this.#keyring.active('revocation'), text)
    this.#ofFacts.set(text, key)
    return key
  }

  /** Begins anew where another key of the keyring is active. */
  #forgetOfOtherKeys(): void {
    const active = this.#keyring.active('revocation')
    if (active === this.#rememberedUnder) return
    this.#ofFacts.clear()
    this.#ofTokens.clear()
    this.#rememberedUnder = active
  }

  #compute(id: KeyId, text: string): Buffer {
    return this.#keyring.revocationMac(id, text).subarray(0, REVOCATION_KEY_BYTES)
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
