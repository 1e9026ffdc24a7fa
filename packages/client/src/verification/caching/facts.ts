/** A fact that tokens rest on, by its revocation key. */
export interface Fact {
  readonly key: string
  /** The number of the latest telling of its key; 0: it was not told. */
  told: number
  /** When no token that rests on it can be unexpired any more, milliseconds since 1970. */
  forgetMs: number
  /** How many kept answers rest on it. */
  holders: number
}

/** A clock of QScope's may be off by so much, and a question on its way for so long. */
export const LEEWAY_MS = 60_000
/** Looking through all facts is not worth it more often. */
const SWEEP_PAUSE_MS = 10_000

/**
 * The facts that kept answers rest on, and the keys that were told.
 *
 * Tellings are numbered. What was asked after telling n knows of n, so that an
 * answer stands as long as no fact of its was told later than it was asked for.
 * A key that was told is kept until its time is over, or until there are more of
 * them than there is room for: then all are dropped at once, and nothing stands
 * that was asked for before.
 */
export class Facts {
  readonly #most: number
  readonly #byKey = new Map<string, Fact>()
  #toldKeys = 0
  #tellings = 0
  /** Of what was asked before this telling nobody knows any more whether it stands. */
  #oldest = 0
  #sweptMs = 0

  /** @param most keys that were told. */
  constructor(most: number) {
    this.#most = most
  }

  /** The number of the latest telling. */
  get tellings(): number {
    return this.#tellings
  }

  /** How many keys that were told are kept. */
  get toldKeys(): number {
    return this.#toldKeys
  }

  /** Whether a key was told that is kept. */
  isTold(key: string): boolean {
    const fact = this.#byKey.get(key)
    return fact !== undefined && fact.told > 0
  }

  /** Whether none of the keys was told since telling `asked`. */
  stand(keys: readonly string[], asked: number): boolean {
    return asked >= this.#oldest && keys.every((key) => (this.#byKey.get(key)?.told ?? 0) <= asked)
  }

  /** The facts of an answer that is kept from now on, until `release`. */
  hold(keys: readonly string[]): Fact[] {
    return keys.map((key) => {
      const fact = this.#factOf(key)
      fact.holders += 1
      return fact
    })
  }

  release(facts: readonly Fact[]): void {
    for (const fact of facts) {
      fact.holders -= 1
      if (fact.holders === 0 && fact.told === 0 && this.#byKey.get(fact.key) === fact) this.#byKey.delete(fact.key)
    }
  }

  /**
   * `false`: there was no room for one more, and every key that was told is
   * dropped. Kept answers have to go then.
   */
  tell(key: string, forgetMs: number): boolean {
    this.#tellings += 1
    const fact = this.#factOf(key)
    if (fact.told === 0) this.#toldKeys += 1
    fact.told = this.#tellings
    fact.forgetMs = Math.max(fact.forgetMs, forgetMs)
    if (this.#toldKeys <= this.#most) return true
    this.clear()
    return false
  }

  /** Drops every key that was told. Kept answers have to go then. */
  clear(): void {
    this.#byKey.clear()
    this.#toldKeys = 0
    this.#oldest = this.#tellings
    this.#sweptMs = 0
  }

  /** Forgets the keys whose time is over, of which no kept answer is left. */
  sweep(nowMs: number): void {
    if (nowMs < this.#sweptMs + SWEEP_PAUSE_MS) return
    this.#sweptMs = nowMs
    for (const [key, fact] of this.#byKey) {
      if (fact.holders > 0 || nowMs < fact.forgetMs + LEEWAY_MS) continue
      this.#byKey.delete(key)
      this.#toldKeys -= 1
    }
  }

  #factOf(key: string): Fact {
    let fact = this.#byKey.get(key)
    if (fact === undefined) {
      fact = { key, told: 0, forgetMs: 0, holders: 0 }
      this.#byKey.set(key, fact)
    }
    return fact
  }
}
