import type { PoolLoad } from '../../contract/backend.ts'
import type { StatementObserver } from '../../contract/statement-plans.ts'
import type { Connected, Dialect, Statement, StatementResult, Writer, Writers } from '../core/dialect.ts'
import { backOff, isRetryable } from '../core/retry.ts'
import { ConnectionPool } from './connection-pool.ts'

/** How long a database that is locked is waited for. */
const LOCK_WAIT_MS = 10_000
/** Statements that may wait for the one connection. */
const MAX_WAITING = 10_000

/**
 * A database on which nothing stays: all that is read and written goes through one
 * transaction of one connection, which is rolled back in the end. So flows find what
 * flows before them wrote, and nobody else sees any of it. Each statement can be
 * explained on the way, before it runs.
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

  /** Begins the transaction; waits for a lock for some seconds. `jitter` draws from [0, 1). */
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

  /** One at a time: a transaction has one connection. */
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

  /** Undoes everything. */
  async close(): Promise<void> {
    await this.#pool.close()
    await this.#inner.writers.append.rollback()
    await this.#inner.close()
  }
}

/** Transactions inside of the one that is rolled back: they begin and end nothing. */
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
    // The transaction is open.
  }

  async commit(): Promise<void> {
    // What was written is there for what comes next, and nothing of it is to stay.
  }

  async rollback(): Promise<void> {
    // All of it is rolled back at the end; until then what a refused flow wrote is in nobody's way.
  }

  async probe(): Promise<void> {
    // The transaction could be begun, on a host that takes writes.
  }

  beginRecorded(): Promise<readonly boolean[]> {
    return Promise.reject(new Error('nothing is run speculatively on a database that is rolled back'))
  }

  commitAfter(statements: readonly Statement[]): Promise<void> {
    return this.batch(statements)
  }
}
