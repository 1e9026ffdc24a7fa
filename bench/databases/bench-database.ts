import type { TokenSql } from '../seed/token-columns.ts'

export type SqlValue = string | number | Buffer | null

/**
 * The purpose of a connection. `fill` prefers speed to safety and leaves a broken database if it is interrupted. `tidy` only
 * does not wait for the disk.
 */
export type BulkPurpose = 'fill' | 'tidy'

/** A connection for bulk writes, which are durable only after it is closed. */
export interface BulkConnection {
  /** The SQL expressions of generated tokens in this database. */
  readonly tokenSql: TokenSql
  run(sql: string): Promise<void>
  /** Runs a statement once for each row of values, which replace its `?`, all in one transaction. */
  runAll(sql: string, rows: readonly (readonly SqlValue[])[]): Promise<void>
  /** Drops the indexes of a table that nothing depends on. Returns the SQL that creates them again. */
  dropIndexes(table: string): Promise<readonly string[]>
  close(): Promise<void>
}

/** A running database of one kind. */
export interface BenchDatabase {
  readonly name: string
  /** Such as `MariaDB 10.11.6`. */
  readonly version: string
  /** The process of the database server. `null`: the database runs in QScope's process. */
  readonly pid: number | null
  /** The URL for QScope. */
  urlOf(dataset: string): string
  /** Creates an empty database and replaces an older one. */
  create(dataset: string): Promise<void>
  connect(dataset: string, purpose: BulkPurpose): Promise<BulkConnection>
  stop(): Promise<void>
}
