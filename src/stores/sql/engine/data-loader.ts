import type { Kysely } from 'kysely'
import type { BatchScheduler } from '../../../batching.ts'
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

/** A look-up, and whoever waits for its answer. */
interface LookedUp<Key, Value> {
  readonly key: Key
  readonly name: string
  readonly waiting: PromiseWithResolvers<Value>
}

/**
 * Joins the look-ups of one turn of the event loop into one. One is under way at a time; what is asked for meanwhile goes
 * with the next. A look-up joins only a batch that is not sent yet, so it reads whatever was committed before it was
 * asked for; look-ups of the same key share the answer. It never waits for a fixed delay.
 */
class DataLoader<Key, Value> implements Finder<Key, Value> {
  readonly #options: DataLoaderOptions<Key, Value>
  /** What is not sent yet, in the order in which it was asked for. */
  #unsent = new Map<string, LookedUp<Key, Value>>()
  #running = false
  /** When the first of them began to wait, and the spans of those that are traced. */
  #since = 0
  #spans: Span[] = []
  readonly #sendNow = (): void => void this.#run()

  constructor(options: DataLoaderOptions<Key, Value>) {
    this.#options = options
  }

  /** How many look-ups wait to be sent. */
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

  /** Whoever asks for one of these from now on needs a later answer. */
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
