import type { Statement, StatementResult } from '../../core/dialect.ts'
import { failureOf } from './errors.ts'
import type { SqliteConnection, SqliteStatement } from './library.ts'

/** Different statement texts are few. This limits what an unusual list could add. */
const MAX_STATEMENTS = 500
/** Fits the upper pages of the indexes. The operating system caches the other pages. */
const CACHE_KIB = 4_096
/** How long to wait for another process here. The main thread handles longer waits, which can be cancelled. */
const LOCK_WAIT_MS = 100
/**
 * SQLite's own busy handler sleeps up to 100 ms, while another process that writes constantly frees the lock only briefly.
 * Two such processes then wait 20 to 35 ms at the 99th percentile, and up to 200 ms. With short sleeps they alternate.
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
   * Applies the settings of each connection. All connections have the same ones, so the values of one hold for all.
   * `walLimit`: of the write-ahead log, in bytes.
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

  /** Runs a statement without result rows several times, each time with its share of the parameters. */
  runRepeated(sql: string, parameters: readonly unknown[], times: number): void {
    const statement = this.#prepare(sql)
    const width = parameters.length / times
    for (let from = 0; from < parameters.length; from += width) statement.run(...parameters.slice(from, from + width))
  }

  /** Runs statements that begin and end a transaction. */
  exec(sql: string): void {
    this.#prepare(sql).run()
  }

  /** Takes the write lock, alternating with other processes. Blocks the thread while it waits. The handle's own timeout is 0. */
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
