import type { Kysely } from 'kysely'
import { type BatchScheduler, MicroBatcher } from '../../../batching.ts'
import type { Span } from '../../../context.ts'
import { StoreError } from '../../contract/errors.ts'
import type { Over, SentBatch, StoreObserver } from '../../contract/store-observer.ts'
import { observed } from '../core/database-error.ts'
import type { Database } from '../core/schema.ts'
import type { Finder, KeyedLookUp, ReadSource } from '../tables/read-source.ts'

/** More keys than this go with the next batch. */
const MAX_BATCH_SIZE = 512

export interface DataLoaderOptions<Key, Value> {
  /** Looks keys up in the database; a key whose name is not in the answer is absent there. */
  readonly load: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>
  /** Tells keys apart: those of one name share the answer. */
  readonly nameOf: (key: Key) => string
  /** The answer for a key that is absent. */
  readonly absent: Value
  /** How many look-ups may wait before more are refused. */
  readonly maxWaiting: number
  readonly scheduler: BatchScheduler
  /** Told of each batch before it is sent. */
  readonly onBatch?: ((batch: SentBatch) => Over) | undefined
}

interface NamedKey<Key> {
  readonly key: Key
  readonly name: string
}

/**
 * Joins the look-ups of one turn of the event loop into one. A look-up joins only
 * a batch that is not sent yet, so it reads whatever was committed before it was
 * asked for; look-ups of the same key share the answer.
 */
class DataLoader<Key, Value> implements Finder<Key, Value> {
  readonly #load: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>
  readonly #nameOf: (key: Key) => string
  readonly #absent: Value
  readonly #maxWaiting: number
  readonly #scheduler: BatchScheduler
  readonly #onBatch: ((batch: SentBatch) => Over) | undefined
  readonly #batcher: MicroBatcher<NamedKey<Key>, Value>
  /** The answers to what is not sent yet, by the names of their keys. */
  #unsent = new Map<string, Promise<Value>>()
  /** When the first of them began to wait, and the spans of those that are traced. */
  #since = 0
  #spans: Span[] = []

  constructor({ load, nameOf, absent, maxWaiting, scheduler, onBatch }: DataLoaderOptions<Key, Value>) {
    this.#load = load
    this.#nameOf = nameOf
    this.#absent = absent
    this.#maxWaiting = maxWaiting
    this.#scheduler = scheduler
    this.#onBatch = onBatch
    this.#batcher = new MicroBatcher({
      send: (keys) => this.#send(keys),
      schedule: (sendNow) => scheduler.schedule(sendNow),
      maxBatchSize: MAX_BATCH_SIZE,
      maxWaiting,
    })
  }

  /** How many look-ups wait to be sent. */
  get waiting(): number {
    return this.#batcher.waiting
  }

  find(key: Key, span?: Span): Promise<Value> {
    if (span !== undefined) this.#spans.push(span)
    const name = this.#nameOf(key)
    const same = this.#unsent.get(name)
    if (same !== undefined) return same
    const answer = this.#batcher.add({ key, name })
    if (answer === null) {
      return Promise.reject(new StoreError('unavailable', `more than ${this.#maxWaiting} look-ups wait to be made`))
    }
    if (this.#unsent.size === 0) this.#since = performance.now()
    this.#unsent.set(name, answer)
    return answer
  }

  async #send(keys: readonly NamedKey<Key>[]): Promise<(key: NamedKey<Key>) => Value> {
    const spans = this.#spans
    this.#spans = []
    const waitedMs = performance.now() - this.#since
    this.#forget(keys)
    const over = this.#onBatch?.({ size: keys.length, waitedMs, spans })
    const found = await observed(over, () => this.#load(keys.map(({ key }) => key)))
    this.#scheduler.callersResume()
    return ({ name }) => found.get(name) ?? this.#absent
  }

  /** Whoever asks for one of these from now on needs a later answer. */
  #forget(keys: readonly NamedKey<Key>[]): void {
    if (keys.length === this.#unsent.size) this.#unsent = new Map()
    else for (const { name } of keys) this.#unsent.delete(name)
  }
}

/** Reads what is committed. Look-ups are batched; lists and counts are not, and are read apart from them. */
export class BatchedSource implements ReadSource {
  readonly db: Kysely<Database>
  readonly lists: Kysely<Database>
  readonly #maxWaiting: number
  readonly #scheduler: BatchScheduler
  readonly #observer: StoreObserver | undefined
  readonly #loaders: { readonly waiting: number }[] = []

  constructor(
    db: Kysely<Database>,
    lists: Kysely<Database>,
    {
      maxWaiting,
      scheduler,
      observer,
    }: {
      readonly maxWaiting: number
      readonly scheduler: BatchScheduler
      readonly observer?: StoreObserver | undefined
    },
  ) {
    this.db = db
    this.lists = lists
    this.#maxWaiting = maxWaiting
    this.#scheduler = scheduler
    this.#observer = observer
  }

  /** How many look-ups wait to be sent. */
  get waiting(): number {
    return this.#loaders.reduce((sum, { waiting }) => sum + waiting, 0)
  }

  finder<Key, Value>({ load, nameOf, absent, name }: KeyedLookUp<Key, Value>): Finder<Key, Value> {
    const loader = new DataLoader({
      load,
      nameOf,
      absent,
      maxWaiting: this.#maxWaiting,
      scheduler: this.#scheduler,
      onBatch: name === undefined ? undefined : this.#observer?.ofReads(name),
    })
    this.#loaders.push(loader)
    return loader
  }
}
