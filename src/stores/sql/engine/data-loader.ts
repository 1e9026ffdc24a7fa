import { callersResume, scheduleBatch } from '../../../batch-scheduler.ts'
import type { Span } from '../../../trace.ts'
import { StoreError } from '../../contract/errors.ts'
import type { Over, SentBatch } from '../../store-observer.ts'
import { observed } from '../core/observed.ts'

/** More keys than this wait for the next batch. */
const LARGEST_BATCH = 512

interface PendingKey<Key, Value> {
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
export class DataLoader<Key, Value> {
  readonly #load: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>
  readonly #nameOf: (key: Key) => string
  readonly #absent: Value
  readonly #maxWaiting: number
  readonly #tell: ((batch: SentBatch) => Over) | undefined
  /** When the first of those began to wait that wait now, and which of them are traced. */
  #since = 0
  #spans: Span[] = []
  #waiting = new Map<string, PendingKey<Key, Value>>()
  #busy = false

  constructor(
    load: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>,
    nameOf: (key: Key) => string,
    absent: Value,
    maxWaiting: number,
    tell?: (batch: SentBatch) => Over,
  ) {
    this.#load = load
    this.#nameOf = nameOf
    this.#absent = absent
    this.#maxWaiting = maxWaiting
    this.#tell = tell
  }

  /** How many look-ups wait to be sent. */
  get waiting(): number {
    return this.#waiting.size
  }

  find(key: Key, span?: Span): Promise<Value> {
    if (span !== undefined) this.#spans.push(span)
    const name = this.#nameOf(key)
    const same = this.#waiting.get(name)
    if (same !== undefined) return same.answer
    if (this.#waiting.size >= this.#maxWaiting) {
      return Promise.reject(new StoreError('unavailable', `more than ${this.#maxWaiting} look-ups wait to be made`))
    }
    const { promise, resolve, reject } = Promise.withResolvers<Value>()
    if (this.#waiting.size === 0) this.#since = performance.now()
    this.#waiting.set(name, { key, answer: promise, resolve, reject })
    if (!this.#busy) {
      this.#busy = true
      scheduleBatch(() => void this.#sendAll())
    }
    return promise
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      const spans = this.#spans
      this.#spans = []
      const waitedMs = performance.now() - this.#since
      const batch = this.#take()
      await this.#send(batch, this.#tell?.({ size: batch.size, waitedMs, spans }))
    }
    this.#busy = false
  }

  #take(): ReadonlyMap<string, PendingKey<Key, Value>> {
    const all = this.#waiting
    if (all.size <= LARGEST_BATCH) {
      this.#waiting = new Map()
      return all
    }
    const batch = new Map([...all].slice(0, LARGEST_BATCH))
    for (const name of batch.keys()) all.delete(name)
    return batch
  }

  async #send(batch: ReadonlyMap<string, PendingKey<Key, Value>>, over: Over | undefined): Promise<void> {
    try {
      const found = await observed(over, () => this.#load(Array.from(batch.values(), (asked) => asked.key)))
      callersResume()
      for (const [name, asked] of batch) asked.resolve(found.get(name) ?? this.#absent)
    } catch (error) {
      for (const asked of batch.values()) asked.reject(error)
    }
  }
}
