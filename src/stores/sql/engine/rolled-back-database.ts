import type { PoolLoad } from '../../contract/backend.ts'
import type { StatementObserver } from '../../contract/statement-plans.ts'
import type { Connected, Dialect, Statement, StatementResult, Writer, Writers } from '../core/dialect.ts'
import { backOff, isRetryable } from '../core/retry.ts'
import { ConnectionPool } from './connection-pool.ts'

/** How long to wait for a locked database. */
const LOCK_WAIT_MS = 10_000
/** The most statements that wait for the connection. */
const MAX_WAITING = 10_000

/**
 * A database whose changes are never committed: all reads and writes run in one transaction of one connection, which is
 * rolled back at the end. Flows therefore see the writes of earlier flows, and other connections see none of them. Each
 * statement can be explained before it runs.
 */
export class RolledBackDatabase implements Connected {
  readonly writers: Writers
  readonly #inner: Connected
  readonly #pool: ConnectionPool<Writer>
  readonly #dialect: Pick<Dialect, 'explain'>
  readonly #observer: StatementObserver

  private constructor(inner: Connected, dialect: Pick<Dialect, 'explain'>, observer: StatementObserver) {
    this.#inner = inner
    this.#dialect = dialect
    this.#observer = observer
    this.#pool = new ConnectionPool([inner.writers.append], MAX_WAITING)
    this.writers = { append: new InnerWriter(this.execute), speculative: null, transactions: [] }
  }

  /** Begins the transaction. Waits some seconds for a lock. `jitter` returns values in [0, 1). */
  static async begin(
    inner: Connected,
    dialect: Pick<Dialect, 'explain'>,
    observer: StatementObserver,
    jitter: () => number,
  ): Promise<RolledBackDatabase> {
    const until = Date.now() + LOCK_WAIT_MS
    for (let attempts = 1; ; attempts += 1) {
      try {
        await inner.writers.append.begin()
        return new RolledBackDatabase(inner, dialect, observer)
      } catch (error) {
        if (isRetryable(error, attempts, until)) await backOff(attempts, until, jitter)
        else {
          await inner.close()
          throw error
        }
      }
    }
  }

  /** One at a time, because a transaction has one connection. */
  readonly execute = (statement: Statement): Promise<StatementResult> =>
    this.#pool.use(null, async (writer) => {
      if (this.#observer.isWanted()) {
        const plan = await this.#dialect.explain(writer.execute, statement)
        this.#observer.sent({ sql: statement.sql, ...plan })
      }
      return await writer.execute(statement)
    })

  readonly scan = this.execute

  checkReads(): Promise<void> {
    return this.#inner.checkReads()
  }

  readLoad(): PoolLoad {
    return this.#pool.load
  }

  /** Rolls everything back. */
  async close(): Promise<void> {
    await this.#pool.close()
    await this.#inner.writers.append.rollback()
    await this.#inner.close()
  }
}

/** Transactions inside the one that is rolled back. Their begin and commit have no effect. */
class InnerWriter implements Writer {
  readonly execute: Writer['execute']
  readonly pipeline = null
  readonly runsRecorded = false

  constructor(execute: Writer['execute']) {
    this.execute = execute
  }

  async batch(statements: readonly Statement[]): Promise<void> {
    for (const statement of statements) await this.execute(statement)
  }

  async begin(): Promise<void> {
    // The outer transaction is already open.
  }

  async commit(): Promise<void> {
    // The writes are visible to later statements, and are not to be committed.
  }

  async rollback(): Promise<void> {
    // The outer transaction is rolled back at the end. Until then, the writes of a rejected flow do not matter.
  }

  async probe(): Promise<void> {
    // The outer transaction began on a host that takes writes.
  }

  beginRecorded(): Promise<readonly boolean[]> {
    return Promise.reject(new Error('nothing is run speculatively on a database that is rolled back'))
  }

  commitAfter(statements: readonly Statement[]): Promise<void> {
    return this.batch(statements)
  }
}
