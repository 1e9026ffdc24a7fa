import type { TokenSql } from '../seed/token-columns.ts'

export type SqlValue = string | number | Buffer | null

/**
 * What a connection is for. `fill` gives up everything for speed, and leaves a
 * broken database behind if it is cut short; `tidy` only does not wait for the disk.
 */
export type BulkPurpose = 'fill' | 'tidy'

/** A connection that writes in bulk: durable only when it is closed. */
export interface BulkConnection {
  /** How this database spells what a generated token is made of. */
  readonly tokenSql: TokenSql
  run(sql: string): Promise<void>
  /** One statement for each row of values, which stand for its `?`; all in one transaction. */
  runAll(sql: string, rows: readonly (readonly SqlValue[])[]): Promise<void>
  /** Takes the indexes of a table away, as far as nothing hangs on them; answers with the SQL that makes them again. */
  dropIndexes(table: string): Promise<readonly string[]>
  close(): Promise<void>
}

/** One kind of database, running. */
export interface BenchDatabase {
  readonly name: string
  /** Such as `MariaDB 10.11.6`. */
  readonly version: string
  /** The database server's process; `null` where the database lives in QScope's own. */
  readonly pid: number | null
  /** The URL that QScope is given. */
  urlOf(dataset: string): string
  /** Makes an empty database, in place of an older one. */
  create(dataset: string): Promise<void>
  connect(dataset: string, purpose: BulkPurpose): Promise<BulkConnection>
  stop(): Promise<void>
}
