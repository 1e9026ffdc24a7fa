import Sqlite from 'better-sqlite3'
import type { Statement, StatementResult } from '../../core/dialect.ts'

/** Different texts of statements are few; this bounds what an unusual list could add. */
const MOST_STATEMENTS = 500

/** A connection with its prepared statements. */
export class SqliteHandle {
  readonly #database: Sqlite.Database
  readonly #statements = new Map<string, Sqlite.Statement>()

  constructor(file: string, options: Sqlite.Options) {
    this.#database = new Sqlite(file, options)
  }

  pragma(source: string): void {
    this.#database.pragma(source)
  }

  run({ sql, parameters }: Statement): StatementResult {
    const statement = this.#prepare(sql)
    if (statement.reader) return { rows: statement.all(...parameters), affected: 0 }
    return { rows: [], affected: statement.run(...parameters).changes }
  }

  /** For what begins and ends a transaction. */
  exec(sql: string): void {
    this.#prepare(sql).run()
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction
  }

  close(): void {
    this.#database.close()
  }

  #prepare(sql: string): Sqlite.Statement {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const fresh = this.#database.prepare(sql)
    if (this.#statements.size >= MOST_STATEMENTS) this.#statements.clear()
    this.#statements.set(sql, fresh)
    return fresh
  }
}
