import type { CompiledQuery, Kysely } from 'kysely'
import type { Span } from '../../../context.ts'
import type { LookUp } from '../../contract/store-observer.ts'
import { KeyedQuery } from '../core/prepared-statement.ts'
import type { Database } from '../core/schema.ts'

/** Finds one value by its key: directly in a transaction, or batched with other look-ups of committed data. */
export interface Finder<Key, Value> {
  find(key: Key, span?: Span): Promise<Value>
}

/** A look-up of any number of keys at once. */
export interface KeyedLookUp<Key, Value> {
  /** The found values by the name of their key. */
  readonly load: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>
  readonly nameOf: (key: Key) => string
  readonly absent: Value
  /** The name in metrics. Without one, it is not measured. */
  readonly name?: LookUp
}

/** Where stores read: committed data, or one transaction. */
export interface ReadSource {
  readonly db: Kysely<Database>
  /** For queries that may scan a table. */
  readonly lists: Kysely<Database>
  finder<Key, Value>(lookUp: KeyedLookUp<Key, Value>): Finder<Key, Value>
}

/** Reads in one transaction, which sees its own writes. Its look-ups are not batched. */
export class TransactionSource implements ReadSource {
  readonly db: Kysely<Database>
  readonly lists: Kysely<Database>

  constructor(db: Kysely<Database>) {
    this.db = db
    this.lists = db
  }

  finder<Key, Value>(lookUp: KeyedLookUp<Key, Value>): Finder<Key, Value> {
    return new SingleFinder(lookUp)
  }
}

class SingleFinder<Key, Value> implements Finder<Key, Value> {
  readonly #lookUp: KeyedLookUp<Key, Value>

  constructor(lookUp: KeyedLookUp<Key, Value>) {
    this.#lookUp = lookUp
  }

  async find(key: Key): Promise<Value> {
    const { load, nameOf, absent } = this.#lookUp
    return (await load([key])).get(nameOf(key)) ?? absent
  }
}

/** Loads values with a statement over their keys, compiled once for each number of keys. */
export function loadBy<Key, Row, Value>(
  db: Kysely<Database>,
  compile: (keys: readonly Key[]) => CompiledQuery<Row>,
  read: (rows: readonly Row[]) => ReadonlyMap<string, Value>,
): (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>> {
  const query = new KeyedQuery<Key, Row>(compile)
  return async (keys) => read((await db.executeQuery(query.for(keys))).rows)
}
