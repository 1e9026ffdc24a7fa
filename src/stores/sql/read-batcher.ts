import { StoreError } from '../contract.ts'

/** More keys than this wait for the next batch. */
const LARGEST_BATCH = 512

interface Asked<Key, Value> {
  readonly key: Key
  readonly answer: Promise<Value>
  readonly resolve: (value: Value) => void
  readonly reject: (error: unknown) => void
}

/**
 * Joins the look-ups of one turn of the event loop into one. One batch is under
 * way at a time; the next is sent when it is back, never after a fixed delay.
 * A look-up joins only a batch that is not sent yet, so it reads whatever was
 * committed before it asked; those who ask for the same key share the answer.
 */
export class ReadBatcher<Key, Value> {
  readonly #load: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>
  readonly #nameOf: (key: Key) => string
  readonly #absent: Value
  readonly #maxWaiting: number
  #waiting = new Map<string, Asked<Key, Value>>()
  #busy = false

  constructor(
    load: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>,
    nameOf: (key: Key) => string,
    absent: Value,
    maxWaiting: number,
  ) {
    this.#load = load
    this.#nameOf = nameOf
    this.#absent = absent
    this.#maxWaiting = maxWaiting
  }

  find(key: Key): Promise<Value> {
    const name = this.#nameOf(key)
    const same = this.#waiting.get(name)
    if (same !== undefined) return same.answer
    if (this.#waiting.size >= this.#maxWaiting) {
      return Promise.reject(new StoreError('unavailable', `more than ${this.#maxWaiting} look-ups wait to be made`))
    }
    const { promise, resolve, reject } = Promise.withResolvers<Value>()
    this.#waiting.set(name, { key, answer: promise, resolve, reject })
    if (!this.#busy) {
      this.#busy = true
      setImmediate(() => void this.#sendAll())
    }
    return promise
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.size > 0) await this.#send(this.#take())
    this.#busy = false
  }

  #take(): ReadonlyMap<string, Asked<Key, Value>> {
    const all = this.#waiting
    if (all.size <= LARGEST_BATCH) {
      this.#waiting = new Map()
      return all
    }
    const batch = new Map([...all].slice(0, LARGEST_BATCH))
    for (const name of batch.keys()) all.delete(name)
    return batch
  }

  async #send(batch: ReadonlyMap<string, Asked<Key, Value>>): Promise<void> {
    try {
      const found = await this.#load(Array.from(batch.values(), (asked) => asked.key))
      for (const [name, asked] of batch) asked.resolve(found.get(name) ?? this.#absent)
    } catch (error) {
      for (const asked of batch.values()) asked.reject(error)
    }
  }
}
