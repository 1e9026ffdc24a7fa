/** The interface of an embedded database's library. Its value types are those of better-sqlite3. */
import Sqlite from 'better-sqlite3'
import { neighbour } from '../../../../neighbour.ts'

export interface SqliteStatement {
  /** Whether it returns rows. */
  readonly reader: boolean
  all(...parameters: readonly unknown[]): unknown[]
  run(...parameters: readonly unknown[]): { readonly changes: number }
}

/** An open connection to a file. Its errors have SQLite's code, such as `SQLITE_BUSY`, in `code`. */
export interface SqliteConnection {
  readonly inTransaction: boolean
  prepare(sql: string): SqliteStatement
  pragma(source: string): unknown
  close(): unknown
}

export interface OpenOptions {
  readonly readonly?: boolean
  /** How long to wait for a lock, in milliseconds. */
  readonly timeout: number
}

export type OpenFile = (file: string, options: OpenOptions) => SqliteConnection

/** A library that opens files, in this thread and in others. */
export interface SqliteLibrary {
  readonly open: OpenFile
  /** The module that a writer or scanner thread runs. It opens files with the same library. */
  readonly writerThread: URL
  readonly scanThread: URL
}

export const openBetterSqlite: OpenFile = (file, options) => new Sqlite(file, options)

export const betterSqlite: SqliteLibrary = Object.freeze({
  open: openBetterSqlite,
  writerThread: neighbour(import.meta.url, 'writer-thread'),
  scanThread: neighbour(import.meta.url, 'scan-thread'),
})
