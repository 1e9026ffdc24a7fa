import type { Kysely } from 'kysely'
import type { BatchScheduler } from '../../../batch-scheduler.ts'
import type { StoreObserver } from '../../contract/store-observer.ts'
import type { Database } from '../core/schema.ts'
import type { Finder, KeyedLookUp, ReadSource } from '../tables/read-source.ts'
import { DataLoader } from './data-loader.ts'

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
