/** The package libsql has the methods of better-sqlite3, but some of its value types differ. */
import { pathToFileURL } from 'node:url'
import Libsql from 'libsql'
import { neighbour } from '../../../../neighbour.ts'
import type { OpenFile, SqliteConnection, SqliteLibrary, SqliteStatement } from '../sqlite/library.ts'
import { namedError } from './errors.ts'

/** It has no read-only option. A URI of SQLite sets that mode. */
export const openLibsql: OpenFile = (file, { readonly = false, timeout }) => {
  const name = readonly ? `${pathToFileURL(file).href}?mode=ro` : file
  return new LibsqlConnection(namingErrors(() => new Libsql(name, { timeout })))
}

export const libsqlLibrary: SqliteLibrary = Object.freeze({
  open: openLibsql,
  writerThread: neighbour(import.meta.url, 'libsql-writer-thread'),
  scanThread: neighbour(import.meta.url, 'libsql-scan-thread'),
})

/** The package aborts the process if a closed database is asked for its transaction state. */
class LibsqlConnection implements SqliteConnection {
  readonly #database: Libsql.Database
  #closed = false

  constructor(database: Libsql.Database) {
    this.#database = database
  }

  get inTransaction(): boolean {
    return !this.#closed && this.#database.inTransaction
  }

  prepare(sql: string): SqliteStatement {
    const database = this.#open()
    if (CONTROL.test(sql)) return new LibsqlCommand(database, sql)
    return new LibsqlStatement(namingErrors(() => database.prepare(sql)))
  }

  pragma(source: string): unknown {
    const database = this.#open()
    return namingErrors(() => database.exec(`pragma ${source}`))
  }

  /** Prepared statements keep the file open, with the locks of an unfinished transaction, until they are garbage-collected. */
  close(): void {
    if (this.#closed) return
    try {
      if (this.inTransaction) namingErrors(() => this.#database.exec('rollback'))
    } finally {
      this.#closed = true
      this.#database.close()
    }
  }

  #open(): Libsql.Database {
    if (this.#closed) throw new TypeError('The database connection is not open')
    return this.#database
  }
}

/** Statements that begin and end transactions. */
const CONTROL = /^\s*(?:begin|commit|rollback|savepoint|release)\b/i

/**
 * A prepared statement that met a lock is not reset, and blocks the next commit ("SQL statements in progress"). Statements
 * that wait for locks are therefore not prepared.
 */
class LibsqlCommand implements SqliteStatement {
  readonly reader = false
  readonly #database: Libsql.Database
  readonly #sql: string

  constructor(database: Libsql.Database, sql: string) {
    this.#database = database
    this.#sql = sql
  }

  all(): unknown[] {
    this.run()
    return []
  }

  run(): { readonly changes: number } {
    namingErrors(() => this.#database.exec(this.#sql))
    return NOTHING_CHANGED
  }
}

const NOTHING_CHANGED = Object.freeze({ changes: 0 })

class LibsqlStatement implements SqliteStatement {
  readonly reader: boolean
  readonly #statement: Libsql.Statement

  constructor(statement: Libsql.Statement) {
    this.#statement = statement
    this.reader = statement.reader
  }

  all(...parameters: readonly unknown[]): unknown[] {
    const rows: unknown[] = namingErrors(() => this.#statement.all(parameters.map(bindable)))
    for (const row of rows) if (typeof row === 'object' && row !== null) asBuffers(row)
    return rows
  }

  run(...parameters: readonly unknown[]): { readonly changes: number } {
    return namingErrors(() => this.#statement.run(parameters.map(bindable)))
  }
}

function namingErrors<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw namedError(error)
  }
}

/**
 * The package binds numbers as floating-point unless they are bigints, and aborts the process at unsupported types, such as
 * booleans. When it reads text, it truncates at a NUL, so such text is rejected.
 */
export function bindable(value: unknown): string | number | bigint | Uint8Array | null {
  switch (typeof value) {
    case 'number':
      return Number.isSafeInteger(value) ? BigInt(value) : value
    case 'string':
      if (value.includes('\0')) throw new TypeError('text with a NUL character cannot be stored')
      return value
    case 'bigint':
      return value
    default:
      if (value === null || value instanceof Uint8Array) return value
      throw new TypeError(`a ${typeof value} cannot be stored`)
  }
}

/** Bytes arrive as an `ArrayBuffer`. This does not copy them. */
function asBuffers(row: object): void {
  for (const [column, value] of Object.entries(row)) {
    if (value instanceof ArrayBuffer) Reflect.set(row, column, Buffer.from(value))
  }
}
