import type { Kysely } from 'kysely'
import type { BatchScheduler } from '../../../batching.ts'
import type { Span } from '../../../context.ts'
import { StoreError } from '../../contract/errors.ts'
import type { Over, SentBatch, StoreObserver } from '../../contract/store-observer.ts'
import { observed } from '../core/database-error.ts'
import type { Database } from '../core/schema.ts'
import type { Finder, KeyedLookUp, ReadSource } from '../tables/read-source.ts'

/** The largest batch. Further keys go with the next one. */
const MAX_BATCH_SIZE = 512

export interface DataLoaderOptions<Key, Value> {
  /** Loads keys from the database. A key without an entry in the answer is absent. */
  readonly load: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>
  /** Identifies a key. Keys with the same name share the answer. */
  readonly nameOf: (key: Key) => string
  /** The answer for an absent key. */
  readonly absent: Value
  /** The most waiting look-ups. More are rejected. */
  readonly maxWaiting: number
  readonly scheduler: BatchScheduler
  /** Called before each batch is sent. */
  readonly onBatch?: ((batch: SentBatch) => Over) | undefined
}

/** A look-up and its waiting callers. */
interface LookedUp<Key, Value> {
  readonly key: Key
  readonly name: string
  readonly waiting: PromiseWithResolvers<Value>
}

/**
 * Batches the look-ups of one turn of the event loop. One batch is in progress at a time. Look-ups during it go with the next
 * one. A look-up joins only an unsent batch, so it reads everything that was committed before it. Look-ups of the same key
 * share the answer. There is no fixed delay.
 */
class DataLoader<Key, Value> implements Finder<Key, Value> {
  readonly #options: DataLoaderOptions<Key, Value>
  /** The unsent look-ups, in order. */
  #unsent = new Map<string, LookedUp<Key, Value>>()
  #running = false
  /** When the first of them began to wait, and the spans of the traced ones. */
  #since = 0
  #spans: Span[] = []
  readonly #sendNow = (): void => void this.#run()

  constructor(options: DataLoaderOptions<Key, Value>) {
    this.#options = options
  }

  /** The number of unsent look-ups. */
  get waiting(): number {
    return this.#unsent.size
  }

  find(key: Key, span?: Span): Promise<Value> {
    if (span !== undefined) this.#spans.push(span)
    const { nameOf, maxWaiting, scheduler } = this.#options
    const name = nameOf(key)
    const same = this.#unsent.get(name)
    if (same !== undefined) return same.waiting.promise
    if (this.#unsent.size >= maxWaiting) {
      return Promise.reject(new StoreError('unavailable', `more than ${maxWaiting} lookups are waiting`))
    }
    if (this.#unsent.size === 0) this.#since = performance.now()
    const waiting = Promise.withResolvers<Value>()
    this.#unsent.set(name, { key, name, waiting })
    if (!this.#running) {
      this.#running = true
      scheduler.schedule(this.#sendNow)
    }
    return waiting.promise
  }

  async #run(): Promise<void> {
    while (this.#unsent.size > 0) await this.#send(this.#take())
    this.#running = false
  }

  async #send(batch: readonly LookedUp<Key, Value>[]): Promise<void> {
    const { load, absent, scheduler, onBatch } = this.#options
    const spans = this.#spans
    this.#spans = []
    try {
      const over = onBatch?.({ size: batch.length, waitedMs: performance.now() - this.#since, spans })
      const found = await observed(over, () => load(batch.map(({ key }) => key)))
      scheduler.callersResume()
      for (const { name, waiting } of batch) waiting.resolve(found.get(name) ?? absent)
    } catch (error) {
      for (const { waiting } of batch) waiting.reject(error)
    }
  }

  /** Takes the unsent look-ups. Later calls need a later answer. */
  #take(): readonly LookedUp<Key, Value>[] {
    const batch = [...this.#unsent.values()]
    if (batch.length <= MAX_BATCH_SIZE) {
      this.#unsent = new Map()
      return batch
    }
    const first = batch.slice(0, MAX_BATCH_SIZE)
    for (const { name } of first) this.#unsent.delete(name)
    return first
  }
}

/** Reads committed data. Look-ups are batched. Lists and counts are separate queries. */
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

  /** The number of unsent look-ups. */
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
