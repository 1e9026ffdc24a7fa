import { BoundedMap } from '../bounded-map.ts'
import type { KeyId } from '../domain/ids.ts'
import { type RevocableFact, type RevocableToken, revocableFactsOf } from '../domain/revocation.ts'
import type { Keyring } from './keyring.ts'

/**
 * Only facts that many tokens share are cached. The key of one token or grant is computed each time: this takes 1 µs, and
 * evictions from a full cache would take ten times as long.
 */
const MOST_REMEMBERED = 1_024

/**
 * Computes revocation keys: tokens carry one for each fact that can end them, and the server publishes it when the fact ends.
 * A key is an HMAC-SHA-256 under a key of the keyring, cut to 16 bytes. It does not reveal the fact, and nobody else can
 * compute it.
 */
export class RevocationKeys {
  readonly #keyring: Keyring
  /** The keys of shared facts under the active key, by the text of the fact. */
  readonly #ofShared = new BoundedMap<string, Buffer>(MOST_REMEMBERED)
  #rememberedUnder: KeyId | null = null

  constructor(keyring: Keyring) {
    this.#keyring = keyring
  }

  /** The keys of a token that is now issued or verified: those of its facts and its ancestors' facts, without duplicates. */
  ofToken(token: RevocableToken, ancestors: readonly RevocableToken[]): readonly Buffer[] {
    this.#forgetOfOtherKeys()
    const own = revocableFactsOf(token)
    const facts = ancestors.length === 0 ? own : distinct([...own, ...ancestors.flatMap(revocableFactsOf)])
    return facts.map((fact) => this.#activeKey(fact))
  }

  /** The key of a fact under the active key. */
  of(fact: RevocableFact): Buffer {
    this.#forgetOfOtherKeys()
    return this.#activeKey(fact)
  }

  /**
   * The keys to publish when a fact ends: one under each key of the keyring, for tokens that were made under an older key, or
   * by an instance that has a newer one.
   */
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

  /** Clears the cache when another key of the keyring is active. */
  #forgetOfOtherKeys(): void {
    const active = this.#keyring.active('revocation')
    if (active === this.#rememberedUnder) return
    this.#ofShared.clear()
    this.#rememberedUnder = active
  }
}

/** The distinct facts in the order of their first occurrence. */
function distinct(facts: readonly RevocableFact[]): readonly RevocableFact[] {
  return [...new Map(facts.map((fact) => [textOf(fact), fact])).values()]
}

/** Starts with the kind, so that two facts cannot have the same text. Ids contain no NUL. */
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
