import type { VerifiedToken } from '../verified-token.ts'
import type { Fact, Facts } from './facts.ts'

/** What is known of a token, as long as it stands. */
export class KeptAnswer {
  /** The token as it came. */
  readonly value: string
  readonly token: VerifiedToken
  readonly facts: readonly Fact[]
  /** The number of the latest telling when it was asked for; 0 for a JWT that was accepted offline, which any telling ends. */
  readonly asked: number
  /** Milliseconds since 1970. */
  readonly expireMs: number
  /** Since it was last passed over when room was made. */
  wasUsed = false
  #stoodAt = -1

  constructor(value: string, token: VerifiedToken, facts: readonly Fact[], asked: number) {
    this.value = value
    this.token = token
    this.facts = facts
    this.asked = asked
    this.expireMs = token.expireTime.getTime()
  }

  /** @param tellings so many there were: the facts are looked at once for each. */
  stands(tellings: number): boolean {
    if (this.#stoodAt === tellings) return true
    for (const { told } of this.facts) if (told > this.asked) return false
    this.#stoodAt = tellings
    return true
  }
}

/** Characters at the end of a token: of its signature or its checksum. */
const TAIL_LENGTH = 8

/**
 * Answers by token, so many at most. Where there is no room for another, the
 * oldest goes that was not used since it was last passed over (CLOCK, an
 * approximation of least recently used that leaves the order alone on each use).
 */
export class KeptAnswers {
  readonly #most: number
  readonly #facts: Facts
  readonly #byTail = new Map<number, KeptAnswer>()

  constructor(most: number, facts: Facts) {
    this.#most = most
    this.#facts = facts
  }

  get size(): number {
    return this.#byTail.size
  }

  /** Only what stands: nothing was told since that ends the token. */
  find(value: string): KeptAnswer | undefined {
    const tail = tailOf(value)
    const answer = this.#byTail.get(tail)
    if (answer?.value !== value) return undefined
    if (answer.stands(this.#facts.tellings)) return answer
    this.#remove(tail)
    return undefined
  }

  /** An answer about the same token that was asked for later stays. */
  keep(value: string, token: VerifiedToken, keys: readonly string[], asked: number): void {
    const before = this.find(value)
    if (before !== undefined && before.asked > asked) return
    const tail = tailOf(value)
    this.#remove(tail)
    if (this.#byTail.size >= this.#most) this.#makeRoom()
    this.#byTail.set(tail, new KeptAnswer(value, token, this.#facts.hold(keys), asked))
  }

  drop(value: string): void {
    if (this.find(value) !== undefined) this.#remove(tailOf(value))
  }

  clear(): void {
    for (const { facts } of this.#byTail.values()) this.#facts.release(facts)
    this.#byTail.clear()
  }

  #makeRoom(): void {
    for (const [tail, answer] of this.#byTail) {
      if (!answer.wasUsed || !answer.stands(this.#facts.tellings)) {
        this.#remove(tail)
        return
      }
      answer.wasUsed = false
      this.#byTail.delete(tail)
      this.#byTail.set(tail, answer)
    }
  }

  #remove(tail: number): void {
    const answer = this.#byTail.get(tail)
    if (answer === undefined) return
    this.#byTail.delete(tail)
    this.#facts.release(answer.facts)
  }
}

/**
 * What an answer is found by, of 30 bits: hashing all of a JWT takes longer than
 * everything else. The end of a token is as good as drawn by lot, and two that
 * end alike only drive each other out.
 */
function tailOf(value: string): number {
  let hash = 0
  for (let at = Math.max(value.length - TAIL_LENGTH, 0); at < value.length; at += 1) {
    hash = Math.imul(hash, 0x01_00_01_93) ^ value.charCodeAt(at)
  }
  return (hash ^ (hash >>> 15)) & 0x3f_ff_ff_ff
}
