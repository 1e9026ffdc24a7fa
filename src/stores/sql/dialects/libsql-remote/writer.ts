import { LibsqlBatchError, type ResultSet, type Transaction } from '@libsql/client/http'
import type { Logger } from '../../../../context.ts'
import { messageOf } from '../../../../message-of.ts'
import { DatabaseError } from '../../core/database-error.ts'
import {
  orRollBack,
  type RecordedStatement,
  type Statement,
  type StatementResult,
  type Writer,
} from '../../core/dialect.ts'
import type { Written } from '../../server/driver.ts'
import { beginRecorded } from '../../server/recorded-rounds.ts'
import { OF_THE_PRIMARY, type RemoteClient, resultOf, sendable } from './client.ts'
import { databaseErrorOf, isNotCommitted, ownCause } from './errors.ts'
import { UnansweredStreamError } from './transport.ts'

/**
 * The server ends a transaction after about 5 s. What would come later is not sent:
 * the server might run it by itself, outside of any transaction.
 */
const TRANSACTION_LIMIT_MS = 4_000
/** A write that was read back so lately proves that writes arrive. */
const PROOF_MS = 10_000

/**
 * Writes by transactions that are begun with their first statement, for writing, so
 * that a read inside of them sees what was committed last. The commit goes by itself:
 * a request that carried the beginning along could arrive after it was given up, and
 * after it was read back that nothing was committed.
 */
export class RemoteWriter implements Writer {
  /** One transaction writes at a time, and each costs several requests: sharing one is cheaper. */
  readonly runsRecorded = true
  readonly pipeline = null
  readonly #client: RemoteClient
  readonly #log: Logger
  #transaction: Transaction | null = null
  #begunAt = 0
  /** What ended the transaction before its time. */
  #failure: DatabaseError | null = null
  #lastProofAt = Number.NEGATIVE_INFINITY
  /** A request that got no answer: its stream may be open still, and hold the lock for writing until the server ends it. */
  #unanswered: UnansweredStreamError | null = null

  constructor(client: RemoteClient, log: Logger) {
    this.#client = client
    this.#log = log
  }

  async begin(): Promise<void> {
    if (this.#transaction !== null) await this.rollback()
    await this.#release()
    this.#failure = null
    this.#transaction = await this.#client.begin()
    this.#begunAt = 0
  }

  execute = async (statement: Statement): Promise<StatementResult> => {
    const [found] = await this.#send([statement])
    return resultOf(found)
  }

  /** Runs statements in one request, up to the first that is refused. */
  async executeAll(statements: readonly Statement[]): Promise<readonly StatementResult[]> {
    const found = await this.#send(statements)
    return found.map(resultOf)
  }

  async batch(statements: readonly Statement[]): Promise<void> {
    await this.begin()
    await this.commitAfter(statements)
  }

  async commit(): Promise<void> {
    const transaction = this.#open()
    try {
      await transaction.commit()
    } catch (error) {
      if (isNotCommitted(error) || (await this.#neverArrived(error))) throw notCommitted(error)
      throw new DatabaseError('outcome_unknown', `the commit was not confirmed: ${messageOf(error)}`, error)
    } finally {
      transaction.close()
      this.#transaction = null
    }
  }

  /** A stream that cannot be reached any more is ended by the server, and what ran in it rolled back. */
  async rollback(): Promise<void> {
    const transaction = this.#transaction
    this.#transaction = null
    if (transaction === null) return
    try {
      if (this.#failure === null) await transaction.rollback()
    } catch (error) {
      this.#note(error)
      const { kind } = databaseErrorOf(error)
      if (kind !== 'lost') this.#log.warn({ err: error }, 'rollback failed; the server ends the transaction by itself')
    } finally {
      transaction.close()
    }
  }

  beginRecorded(recorded: readonly (readonly RecordedStatement[])[]): Promise<readonly boolean[]> {
    return beginRecorded(this, recorded, null)
  }

  async commitAfter(statements: readonly Statement[]): Promise<void> {
    await orRollBack(this, async () => {
      if (statements.length > 0) await this.#send(statements)
    })
    await this.commit()
  }

  /** Runs statements in one request, up to the first that is refused. The library says which that was, and not what those before it wrote. */
  async writeAll(statements: readonly RecordedStatement[]): Promise<Written> {
    const isFirst = this.#begunAt === 0
    try {
      const results = await this.#send(statements)
      return { affected: results.map(({ rowsAffected }) => rowsAffected), failure: null }
    } catch (error) {
      if (!(error instanceof DatabaseError) || !(error.cause instanceof LibsqlBatchError)) throw error
      // Before the first of them goes what keeps replicas from answering.
      const before = statements.slice(0, error.cause.statementIndex - (isFirst ? 1 : 0))
      return { affected: before.map(({ affects }) => affects), failure: error }
    }
  }

  /** Writes, and sees whether it can be read back at once: what a replica answers may be older than a revocation. */
  async probe(): Promise<void> {
    await this.begin()
    if (performance.now() - this.#lastProofAt <= PROOF_MS) {
      await orRollBack(this, () => this.execute({ sql: LOCK, parameters: [] }))
      await this.rollback()
      return
    }
    const written = await orRollBack(this, async () => {
      await this.execute({ sql: COUNT, parameters: [] })
      return countOf(await this.execute(COUNTED))
    })
    await this.commit()
    const read = countOf(await this.#client.read(COUNTED))
    if (read < written) {
      throw new DatabaseError(
        'unavailable',
        'the database does not show what was committed a moment ago, so a revoked token could count as good: QSCOPE_DATABASE_URL names a replica; name the primary',
      )
    }
    this.#lastProofAt = performance.now()
  }

  async close(): Promise<void> {
    await this.rollback()
  }

  /** @throws `DatabaseError`, after which, unless it is of one statement only, nothing more of the transaction is sent. */
  async #send(statements: readonly Statement[]): Promise<readonly ResultSet[]> {
    const transaction = this.#open()
    try {
      if (this.#begunAt !== 0) return await transaction.batch(statements.map(sendable))
      const [, ...results] = await transaction.batch([OF_THE_PRIMARY, ...statements.map(sendable)])
      // To wait for the lock was not yet a transaction.
      this.#begunAt = performance.now()
      return results
    } catch (error) {
      this.#note(error)
      const meant = databaseErrorOf(error)
      if (meant.kind !== 'duplicate' && meant.kind !== 'refused') this.#failure = meant
      throw meant
    }
  }

  #note(error: unknown): void {
    const cause = ownCause(error)
    if (cause instanceof UnansweredStreamError) this.#unanswered = cause
  }

  /** Whether a commit that got no answer has not come to the server, and cannot any more. */
  async #neverArrived(error: unknown): Promise<boolean> {
    this.#note(error)
    try {
      return await this.#release()
    } catch (notReleased) {
      // Not to be reached now: the next transaction begins with another attempt, and until then nobody knows.
      this.#log.debug({ err: notReleased }, 'the outcome of a commit could not be looked up')
      return false
    }
  }

  /** Lets go of what may be held by a stream that nobody uses any more. */
  async #release(): Promise<boolean> {
    const unanswered = this.#unanswered
    if (unanswered === null) return false
    const released = await this.#client.release(unanswered)
    this.#unanswered = null
    return released
  }

  #open(): Transaction {
    if (this.#failure !== null) throw this.#failure
    if (this.#begunAt !== 0 && performance.now() - this.#begunAt > TRANSACTION_LIMIT_MS) {
      this.#failure = new DatabaseError(
        'lost',
        `a transaction took longer than ${TRANSACTION_LIMIT_MS} ms, and the server ends those that take 5 s`,
      )
      throw this.#failure
    }
    if (this.#transaction === null) throw new DatabaseError('lost', 'the transaction is over')
    return this.#transaction
  }
}

function notCommitted(error: unknown): DatabaseError {
  const { message, kind } = databaseErrorOf(error)
  return kind === 'busy' ? new DatabaseError(kind, message, error) : new DatabaseError('lost', message, error)
}

/** Takes the lock for writing, and changes nothing. */
const LOCK = 'update oauth_leases set holder = holder where 1 = 0'
/** A lease that nobody holds: the count of these looks. */
const NAME = 'read-back'
const COUNT = `insert into oauth_leases (name, holder, expires_at, created_at, created_by, updated_at, updated_by)
values ('${NAME}', '', 1, 0, 'qscope', 0, 'qscope')
on conflict (name) do update set expires_at = expires_at + 1`
const COUNTED: Statement = Object.freeze({
  sql: `select expires_at as counted from oauth_leases where name = '${NAME}'`,
  parameters: [],
})

function countOf({ rows: [row] }: StatementResult): number {
  return typeof row === 'object' && row !== null && 'counted' in row ? Number(row.counted) : 0
}
