/** The known state of a token, with times of the monotonic clock of the tests. */
export interface TokenRecord {
  readonly value: string
  /** Its state; `changing` between a call that changes it and the answer. */
  state: 'good' | 'changing' | 'ended'
  /** When that state was answered. */
  since: number
}

/** An observer of the book. */
export interface BookReader {
  /** The token is valid from now on: it is new, or was restored. */
  isGood(record: TokenRecord): void
  hasEnded(record: TokenRecord): void
}

/** The number of newest tokens to keep, in any state. */
const LATEST = 300
/** The number of revoked tokens to keep: the latest ones, and a uniform sample of all. */
const SAMPLE = 200

/** The tokens of a test. It keeps only some of the revoked ones, so that a test can have any length. */
export class TokenBook {
  readonly #readers: BookReader[] = []
  readonly #latest: TokenRecord[] = []
  readonly #lastEnded: TokenRecord[] = []
  readonly #anyEnded: TokenRecord[] = []
  readonly #random: () => number
  /** The number of revocations of tokens. */
  ended = 0

  constructor(random: () => number) {
    this.#random = random
  }

  tellOf(reader: BookReader): void {
    this.#readers.push(reader)
  }

  /** Adds tokens that were just issued. */
  add(values: readonly string[]): readonly TokenRecord[] {
    const records = values.map((value): TokenRecord => ({ value, state: 'good', since: performance.now() }))
    for (const record of records) {
      this.#latest.push(record)
      for (const reader of this.#readers) reader.isGood(record)
    }
    this.#latest.splice(0, this.#latest.length - LATEST)
    return records
  }

  /** Marks these tokens as changing, until `isNow`. */
  isChanging(records: readonly TokenRecord[]): void {
    for (const record of records) record.state = 'changing'
  }

  /** Records the answered state of these tokens. */
  isNow(state: 'good' | 'ended', records: readonly TokenRecord[]): void {
    for (const record of records) {
      Object.assign(record, { state, since: performance.now() })
      if (state === 'ended') this.#end(record)
      else for (const reader of this.#readers) reader.isGood(record)
    }
  }

  /** One of the latest tokens; `undefined` if there is none yet. */
  pickLatest(): TokenRecord | undefined {
    return this.#latest[Math.floor(this.#random() * this.#latest.length)]
  }

  /** Some revoked tokens that were not restored. */
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
