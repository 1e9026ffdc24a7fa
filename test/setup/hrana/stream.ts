import { setTimeout as sleep } from 'node:timers/promises'
import Libsql from 'libsql'
import type { Batch, BatchResult, Condition, HranaError, Stmt, StmtResult, StreamRequest, Value } from './protocol.ts'

const CONTROL = /^\s*(?:begin|commit|rollback|savepoint|release)\b/i
/** The time limit for another stream's lock. */
const LOCK_PATIENCE_MS = 5_000
const POLL_MS = 2

export interface StreamLimits {
  /** The longest duration of a transaction before it is rolled back. */
  readonly transactionMs: number
}

/** Errors of the server, not of SQLite, in the same place. */
class StatementError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

type Outcome = { readonly response: object } | { readonly error: HranaError }

/** A stream: one connection to the database, and its stored statements. */
export class HranaStream {
  readonly #database: Libsql.Database
  readonly #limits: StreamLimits
  readonly #give: (database: Libsql.Database) => void
  readonly #sqls = new Map<number, string>()
  #timer: NodeJS.Timeout | null = null
  /** Its transaction exceeded the limit and was rolled back. The next program gets this error. */
  #timedOut = false
  #metLock = false
  closed = false

  /** `give`: takes the connection when the stream is closed. */
  constructor(database: Libsql.Database, limits: StreamLimits, give: (database: Libsql.Database) => void) {
    this.#database = database
    this.#limits = limits
    this.#give = give
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#database.inTransaction) this.#database.exec('rollback')
    // A connection that gave up waiting for a lock may be unable to commit.
    if (this.#metLock) this.#database.close()
    else this.#give(this.#database)
  }

  async run(request: StreamRequest): Promise<Outcome> {
    try {
      return { response: { type: request.type, ...(await this.#answer(request)) } }
    } catch (error) {
      return { error: hranaError(error) }
    }
  }

  async #answer(request: StreamRequest): Promise<object> {
    if (this.closed) throw new StatementError('STREAM_CLOSED', 'the stream is closed')
    switch (request.type) {
      case 'close':
        this.close()
        return {}
      case 'execute': {
        const [error] = this.#timeouts()
        if (error !== undefined) throw error
        return { result: await this.execute(request.stmt) }
      }
      case 'batch':
        return { result: await this.batch(request.batch) }
      case 'sequence':
        await this.#unlocked(() => this.#database.exec(this.textOf(request)))
        this.#watch()
        return {}
      case 'describe':
        return { result: this.#describe(this.textOf(request)) }
      case 'store_sql':
        if (this.#sqls.has(request.sql_id)) throw new StatementError('SQL_STORED', 'this number is in use')
        this.#sqls.set(request.sql_id, request.sql)
        return {}
      case 'close_sql':
        this.#sqls.delete(request.sql_id)
        return {}
      case 'get_autocommit':
        return { is_autocommit: !this.#database.inTransaction }
      default:
        return request satisfies never
    }
  }

  textOf({ sql, sql_id: id }: Pick<Stmt, 'sql' | 'sql_id'>): string {
    const text = sql ?? (id === null || id === undefined ? undefined : this.#sqls.get(id))
    if (text === undefined) throw new StatementError('SQL_NOT_FOUND', 'there is no text of this statement')
    return text
  }

  async execute(stmt: Stmt): Promise<StmtResult> {
    const parameters = bound(stmt)
    const sql = this.textOf(stmt)
    const run = CONTROL.test(sql) ? () => this.#command(sql) : this.#prepared(sql, parameters, stmt.want_rows ?? true)
    const result = await this.#unlocked(run)
    this.#watch()
    return result
  }

  async batch({ steps }: Batch): Promise<BatchResult> {
    const results: (StmtResult | null)[] = []
    const errors: (HranaError | null)[] = []
    const [timeout] = this.#timeouts()
    for (const { condition, stmt } of steps) {
      const at = results.length
      results.push(null)
      errors.push(null)
      if (timeout !== undefined) errors[at] = hranaError(timeout)
      else if (!condition || this.#holds(condition, results, errors)) {
        try {
          results[at] = await this.execute(stmt)
        } catch (error) {
          errors[at] = hranaError(error)
        }
      }
    }
    return { step_results: results, step_errors: errors }
  }

  #holds(
    condition: Condition,
    results: readonly (StmtResult | null)[],
    errors: readonly (HranaError | null)[],
  ): boolean {
    const holds = (one: Condition) => this.#holds(one, results, errors)
    switch (condition.type) {
      case 'ok':
        return (results[condition.step] ?? null) !== null
      case 'error':
        return (errors[condition.step] ?? null) !== null
      case 'not':
        return !holds(condition.cond)
      case 'and':
        return condition.conds.every(holds)
      case 'or':
        return condition.conds.some(holds)
      case 'is_autocommit':
        return !this.#database.inTransaction
      default:
        return condition satisfies never
    }
  }

  /** Begins or ends a transaction. As a prepared statement it would block the next commit after it met a lock. */
  #command(sql: string): StmtResult {
    this.#database.exec(sql)
    return { cols: [], rows: [], affected_row_count: 0, last_insert_rowid: null }
  }

  /** Prepared once and retried until no lock blocks it. */
  #prepared(sql: string, parameters: Parameters, wantsRows: boolean): () => StmtResult {
    const statement = this.#database.prepare(sql)
    if (!statement.reader) {
      return () => {
        const { changes, lastInsertRowid } = statement.run(parameters)
        return { cols: [], rows: [], affected_row_count: changes, last_insert_rowid: String(lastInsertRowid) }
      }
    }
    const cols = statement.columns().map(({ name, type }) => ({ name, decltype: type }))
    // In raw mode a row is a list of values.
    statement.safeIntegers(true).raw(true)
    return () => {
      const before = this.#changes()
      const rows = statement.all(parameters) as unknown[][]
      return {
        cols,
        rows: wantsRows ? rows.map((row) => row.map(hranaValue)) : [],
        affected_row_count: this.#changes() - before,
        last_insert_rowid: null,
      }
    }
  }

  /** The changes of all statements so far. A statement with result rows does not report its own. */
  #changes(): number {
    const [row] = this.#database.prepare('select total_changes() as n').all([])
    return typeof row === 'object' && row !== null && 'n' in row ? Number(row.n) : 0
  }

  #describe(sql: string): object {
    const statement = this.#database.prepare(sql)
    const cols = statement.reader ? statement.columns().map(({ name, type }) => ({ name, decltype: type })) : []
    return { params: [], cols, is_explain: /^\s*explain\b/i.test(sql), is_readonly: isReadOnly(sql) }
  }

  /** Waits for another stream's lock without blocking its release. */
  async #unlocked<T>(work: () => T): Promise<T> {
    for (const until = performance.now() + LOCK_PATIENCE_MS; ; await sleep(POLL_MS)) {
      try {
        return work()
      } catch (error) {
        const busy = error instanceof Libsql.SqliteError && error.code.startsWith('SQLITE_BUSY')
        if (busy) this.#metLock = true
        if (!busy || this.closed || performance.now() > until) throw error
      }
    }
  }

  /** A transaction that is too long would block all other writers. */
  #watch(): void {
    const { inTransaction } = this.#database
    if (inTransaction && this.#timer === null) {
      this.#timer = setTimeout(() => {
        this.#timer = null
        if (this.closed || !this.#database.inTransaction) return
        this.#database.exec('rollback')
        this.#timedOut = true
      }, this.#limits.transactionMs)
    } else if (!inTransaction && this.#timer !== null) {
      clearTimeout(this.#timer)
      this.#timer = null
    }
  }

  /** The errors of a program whose transaction was rolled back. The next program runs outside of any transaction. */
  #timeouts(): readonly StatementError[] {
    const timedOut = this.#timedOut
    this.#timedOut = false
    return timedOut ? [new StatementError('TRANSACTION_TIMEOUT', 'Transaction timed out')] : []
  }
}

type Parameters = unknown[] | Record<string, unknown>

function bound({ args, named_args: named }: Stmt): Parameters {
  if (named && named.length > 0) {
    return Object.fromEntries(named.map((one) => [one.name.replace(/^[:@$]/, ''), sqlValue(one.value)]))
  }
  return (args ?? []).map(sqlValue)
}

function sqlValue(value: Value): string | number | bigint | Buffer | null {
  switch (value.type) {
    case 'null':
      return null
    case 'integer':
      return BigInt(value.value)
    case 'blob':
      return Buffer.from(value.base64, 'base64')
    default:
      return value.value
  }
}

function hranaValue(value: unknown): Value {
  if (value === null || value === undefined) return { type: 'null' }
  if (typeof value === 'bigint') return { type: 'integer', value: String(value) }
  if (typeof value === 'number') return { type: 'float', value }
  if (value instanceof ArrayBuffer || value instanceof Uint8Array)
    return { type: 'blob', base64: Buffer.from(new Uint8Array(value)).toString('base64').replace(/=+$/, '') }
  return { type: 'text', value: String(value) }
}

/** Servers report only the first part of SQLite's codes. */
function hranaError(error: unknown): HranaError {
  if (error instanceof StatementError) return { message: error.message, code: error.code }
  if (!(error instanceof Libsql.SqliteError)) return { message: String(error), code: 'INTERNAL' }
  const [code = null] = /^SQLITE_[A-Z]+/.exec(error.code) ?? []
  const primary = error.rawCode === undefined ? code : (PRIMARY.get(error.rawCode % 256) ?? code)
  return { message: `SQLite error: ${error.message}`, code: primary ?? 'SQLITE_UNKNOWN' }
}

const PRIMARY: ReadonlyMap<number, string> = new Map([[19, 'SQLITE_CONSTRAINT']])

/** Whether a replica answers a statement itself. Otherwise it forwards the statement to the primary. */
export function isReadOnly(sql: string): boolean {
  return /^\s*(select|with|begin|commit|rollback|explain)\b/i.test(sql)
}
