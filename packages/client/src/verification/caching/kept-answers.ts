import type { VerifiedToken } from '../verified-token.ts'
import type { Fact, Facts } from './facts.ts'

/** What is known of a token, as long as it stands. */
export class KeptAnswer {
  readonly token: VerifiedToken
  readonly facts: readonly Fact[]
  /** The number of the latest telling when it was asked for; 0 for a JWT that was accepted offline, which any telling ends. */
  readonly asked: number
  /** Milliseconds since 1970. */
  readonly expireMs: number
  /** Since it was last passed over when room was made. */
  wasUsed = false

  constructor(token: VerifiedToken, facts: readonly Fact[], asked: number) {
    this.token = token
    this.facts = facts
    this.asked = asked
    this.expireMs = token.expireTime.getTime()
  }

  /** Whether nothing was told since that ends the token. */
  get stands(): boolean {
    for (const { told } of this.facts) if (told > this.asked) return false
    return true
  }
}

/**
 * Answers by token, so many at most. Where there is no room for another, the
 * oldest goes that was not used since it was last passed over (CLOCK, an
 * approximation of least recently used that leaves the order alone on each use).
 */
export class KeptAnswers {
  readonly #most: number
  readonly #facts: Facts
  readonly #byToken = new Map<string, KeptAnswer>()

  constructor(most: number, facts: Facts) {
    this.#most = most
    this.#facts = facts
  }

  get size(): number {
    return this.#byToken.size
  }

  /** It may not stand any more. */
  find(value: string): KeptAnswer | undefined {
    return this.#byToken.get(value)
  }

  /** An answer about the same token that was asked for later stays. */
  keep(value: string, token: VerifiedToken, keys: readonly string[], asked: number): void {
    const before = this.#byToken.get(value)
    if (before !== undefined && before.asked > asked && before.stands) return
    this.drop(value)
    if (this.#byToken.size >= this.#most) this.#makeRoom()
    this.#byToken.set(value, new KeptAnswer(token, this.#facts.hold(keys), asked))
  }

  drop(value: string): void {
    const answer = this.#byToken.get(value)
    if (answer === undefined) return
    this.#byToken.delete(value)
    this.#facts.release(answer.facts)
  }

  clear(): void {
    for (const { facts } of this.#byToken.values()) this.#facts.release(facts)
    this.#byToken.clear()
  }

  #makeRoom(): void {
    for (const [value, answer] of this.#byToken) {
      if (!answer.wasUsed || !answer.stands) {
        this.drop(value)
        return
      }
      answer.wasUsed = false
      this.#byToken.delete(value)
      this.#byToken.set(value, answer)
    }
  }
}
