import { BoundedMap } from '../bounded-map.ts'
import type { KeyId } from '../domain/ids.ts'
import { type RevocableFact, type RevocableToken, revocableFactsOf } from '../domain/revocation.ts'
import type { Keyring } from './keyring.ts'

/**
 * Of the facts that many tokens share. A key of one token or grant is computed each time: that takes 1 µs, and to
 * remember more of them than there is room for takes ten times as long.
 */
const MOST_REMEMBERED = 1_024

/**
 * What tokens carry for each fact that can end them, and what is told when it does:
 * HMAC-SHA-256 under a key of the keyring, cut to 16 bytes. Whoever sees a key learns
 * nothing of whom it is about, and nobody can make one.
 */
export class RevocationKeys {
  readonly #keyring: Keyring
  /** What was computed of shared facts under the active key, by what it was made of. */
  readonly #ofShared = new BoundedMap<string, Buffer>(MOST_REMEMBERED)
  #rememberedUnder: KeyId | null = null

  constructor(keyring: Keyring) {
    this.#keyring = keyring
  }

  /** What a token that is issued or checked now carries: the keys of its facts and its ancestors', each once. */
  ofToken(token: RevocableToken, ancestors: readonly RevocableToken[]): readonly Buffer[] {
    this.#forgetOfOtherKeys()
    const own = revocableFactsOf(token)
    const facts = ancestors.length === 0 ? own : distinct([...own, ...ancestors.flatMap(revocableFactsOf)])
    return facts.map((fact) => this.#activeKey(fact))
  }

  /** The key that a fact has for those who are told of it now. */
  of(fact: RevocableFact): Buffer {
    this.#forgetOfOtherKeys()
    return this.#activeKey(fact)
  }

  /** What is told when it ends: under every key, for tokens made under an older one, or by an instance that has a newer one. */
  keysOf(fact: RevocableFact): readonly Buffer[] {
    const text = textOf(fact)
    return this.#keyring.ids('revocation').map((id) => this.#keyring.revocationMac(id, text))
  }

  #activeKey(fact: RevocableFact): Buffer {
    const text = textOf(fact)
    const isShared = fact.kind === 'client' || fact.kind === 'signing_key'
    const known = isShared ? this.#ofShared.get(text) : undefined
    if (known !== undefined) return known
    const key = this.#keyring.revocationMac(this.#keyring.active('revocation'), text)
    if (isShared) this.#ofShared.set(text, key)
    return key
  }

  /** Begins anew where another key of the keyring is active. */
  #forgetOfOtherKeys(): void {
    const active = this.#keyring.active('revocation')
    if (active === this.#rememberedUnder) return
    this.#ofShared.clear()
    this.#rememberedUnder = active
  }
}

/** Each fact once, in the order of their first places. */
function distinct(facts: readonly RevocableFact[]): readonly RevocableFact[] {
  return [...new Map(facts.map((fact) => [textOf(fact), fact])).values()]
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
