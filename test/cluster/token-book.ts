/** What is known of a token by those who end it, by the monotonic clock of the tests. */
export interface TokenRecord {
  readonly value: string
  /** What it is; between a call that changes that and its answer nobody can say. */
  state: 'good' | 'changing' | 'ended'
  /** When that was answered. */
  since: number
}

/** Who looks at tokens. */
export interface BookReader {
  /** It is good from now on: it is new, or was brought back. */
  isGood(record: TokenRecord): void
  hasEnded(record: TokenRecord): void
}

/** Of the newest tokens, whatever became of them. */
const LATEST = 300
/** Of those that ended: the last ones, and as many of all, each as likely as any other. */
const SAMPLE = 200

/** The tokens that a storm makes and ends. It holds few of those that ended, so that a storm may be as long as it likes. */
export class TokenBook {
  readonly #readers: BookReader[] = []
  readonly #latest: TokenRecord[] = []
  readonly #lastEnded: TokenRecord[] = []
  readonly #anyEnded: TokenRecord[] = []
  readonly #random: () => number
  /** How many tokens ended, each as often as it did. */
  ended = 0

  constructor(random: () => number) {
    this.#random = random
  }

  tellOf(reader: BookReader): void {
    this.#readers.push(reader)
  }

  /** Tokens that were answered just now. */
  add(values: readonly string[]): readonly TokenRecord[] {
    const records = values.map((value): TokenRecord => ({ value, state: 'good', since: performance.now() }))
    for (const record of records) {
      this.#latest.push(record)
      for (const reader of this.#readers) reader.isGood(record)
    }
    this.#latest.splice(0, this.#latest.length - LATEST)
    return records
  }

  /** Something changes these tokens from now on, until `isNow`. */
  isChanging(records: readonly TokenRecord[]): void {
    for (const record of records) record.state = 'changing'
  }

  /** It was answered just now that they are so. */
  isNow(state: 'good' | 'ended', records: readonly TokenRecord[]): void {
    for (const record of records) {
      Object.assign(record, { state, since: performance.now() })
      if (state === 'ended') this.#end(record)
      else for (const reader of this.#readers) reader.isGood(record)
    }
  }

  /** One of the latest; `undefined`: there is none yet. */
  pickLatest(): TokenRecord | undefined {
    return this.#latest[Math.floor(this.#random() * this.#latest.length)]
  }

  /** Some of those that ended, and did not come back. */
  someEnded(): readonly TokenRecord[] {
    return [...new Set([...this.#anyEnded, ...this.#lastEnded])].filter(({ state }) => state === 'ended')
  }

  #end(record: TokenRecord): void {
    this.ended += 1
    this.#lastEnded.push(record)
    this.#lastEnded.splice(0, this.#lastEnded.length - SAMPLE)
    if (this.#anyEnded.length < SAMPLE) this.#anyEnded.push(record)
    else {
      // Reservoir sampling.
      const place = Math.floor(this.#random() * this.ended)
      if (place < SAMPLE) this.#anyEnded[place] = record
    }
    for (const reader of this.#readers) reader.hasEnded(record)
  }
}
