import type { Statement, StatementResult } from '../../core/dialect.ts'
import { failureOf } from './errors.ts'
import type { SqliteConnection, SqliteStatement } from './library.ts'

/** Different texts of statements are few; this bounds what an unusual list could add. */
const MAX_STATEMENTS = 500
/** Holds the upper pages of the indexes; those below are fetched from the system's cache, whatever the size. */
const CACHE_KIB = 4_096
/** Another process is waited for this long; longer waits are the main thread's, and can be given up. */
const LOCK_WAIT_MS = 100
/**
 * SQLite's own busy handler sleeps longer and longer, up to 100 ms, while a
 * process that writes all the time frees the lock for a fraction of that: two of
 * them then wait 20 to 35 ms at the 99th percentile, and 200 at worst. Short
 * naps catch the next gap, and let them alternate.
 */
const NAP_MS = 0.3

const nobodyWakes = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/** A connection with its prepared statements. */
export class SqliteHandle {
  readonly #database: SqliteConnection
  readonly #statements = new Map<string, SqliteStatement>()

  constructor(database: SqliteConnection) {
    this.#database = database
  }

  /**
   * Sets what each connection has to set for itself. All set the same, so what one
   * reports holds for all. `walLimit`: of the write-ahead log, in bytes.
   */
  setUp(walLimit: number): void {
    this.pragma('synchronous = FULL')
    this.pragma('foreign_keys = ON')
    this.pragma(`cache_size = -${CACHE_KIB}`)
    this.pragma(`journal_size_limit = ${walLimit}`)
  }

  pragma(source: string): void {
    this.#database.pragma(source)
  }

  run({ sql, parameters }: Statement): StatementResult {
    const statement = this.#prepare(sql)
    if (statement.reader) return { rows: statement.all(...parameters), affected: 0 }
    return { rows: [], affected: statement.run(...parameters).changes }
  }

  /** Runs a statement that answers no rows several times, each time with its share of the parameters. */
  runRepeated(sql: string, parameters: readonly unknown[], times: number): void {
    const statement = this.#prepare(sql)
    const width = parameters.length / times
    for (let from = 0; from < parameters.length; from += width) statement.run(...parameters.slice(from, from + width))
  }

  /** For what begins and ends a transaction. */
  exec(sql: string): void {
    this.#prepare(sql).run()
  }

  /** Takes the lock for writing, in turn with other processes. Blocks its thread meanwhile; the handle's own timeout is 0. */
  beginImmediate(): void {
    for (const until = performance.now() + LOCK_WAIT_MS; ; Atomics.wait(nobodyWakes, 0, 0, NAP_MS)) {
      try {
        this.exec('begin immediate')
        return
      } catch (error) {
        if (!failureOf(error).code.startsWith('SQLITE_BUSY') || performance.now() >= until) throw error
      }
    }
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction
  }

  close(): void {
    this.#database.close()
  }

  #prepare(sql: string): SqliteStatement {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const fresh = this.#database.prepare(sql)
    if (this.#statements.size >= MAX_STATEMENTS) this.#statements.clear()
    this.#statements.set(sql, fresh)
    return fresh
  }
}
