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
 * The server ends a transaction after about 5 s. Later statements are not sent, because the server might run them outside of
 * any transaction.
 */
const TRANSACTION_LIMIT_MS = 4_000
/** A write that was read back within this time proves that writes succeed. */
const PROOF_MS = 10_000

/**
 * Writes in transactions that take the write lock with their first statement, so that reads in them see the latest commit.
 * The commit is a request of its own. If it also carried the begin, it could arrive after the caller gave up and had read
 * back that nothing was committed.
 */
export class RemoteWriter implements Writer {
  /** One transaction writes at a time and takes several requests, so sharing one is cheaper. */
  readonly runsRecorded = true
  readonly pipeline = null
  readonly #client: RemoteClient
  readonly #log: Logger
  #transaction: Transaction | null = null
  #begunAt = 0
  /** The error that ended the transaction early. */
  #failure: DatabaseError | null = null
  #lastProofAt = Number.NEGATIVE_INFINITY
  /** A request without an answer. Its stream may be open and hold the write lock until the server ends it. */
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

  /** Runs statements in one request, up to the first failure. */
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

  /** If a stream cannot be reached, the server ends it and rolls back. */
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

  /**
   * Runs statements in one request, up to the first failure. The library reports which statement failed, but not what the
   * previous ones wrote.
   */
  async writeAll(statements: readonly RecordedStatement[]): Promise<Written> {
    const isFirst = this.#begunAt === 0
    try {
      const results = await this.#send(statements)
      return { affected: results.map(({ rowsAffected }) => rowsAffected), failure: null }
    } catch (error) {
      if (!(error instanceof DatabaseError) || !(error.cause instanceof LibsqlBatchError)) throw error
      // The first one is preceded by the statement that keeps replicas from answering.
      const before = statements.slice(0, error.cause.statementIndex - (isFirst ? 1 : 0))
      return { affected: before.map(({ affects }) => affects), failure: error }
    }
  }

  /** Writes and reads the value back, because a replica may return data from before a revocation. */
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
        'the database does not return a change that was just committed, so a revoked token could be accepted: QSCOPE_DATABASE_URL names a replica; name the primary',
      )
    }
    this.#lastProofAt = performance.now()
  }

  async close(): Promise<void> {
    await this.rollback()
  }

  /** @throws `DatabaseError`. Unless it concerns one statement only, nothing more of the transaction is sent. */
  async #send(statements: readonly Statement[]): Promise<readonly ResultSet[]> {
    const transaction = this.#open()
    try {
      if (this.#begunAt !== 0) return await transaction.batch(statements.map(sendable))
      const [, ...results] = await transaction.batch([OF_THE_PRIMARY, ...statements.map(sendable)])
      // Waiting for the lock is not part of the transaction's time.
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

  /** Whether a commit without an answer has not reached the server and cannot reach it any more. */
  async #neverArrived(error: unknown): Promise<boolean> {
    this.#note(error)
    try {
      return await this.#release()
    } catch (notReleased) {
      // The server cannot be reached now. The next transaction retries. Until then the outcome is unknown.
      this.#log.debug({ err: notReleased }, 'the outcome of a commit could not be looked up')
      return false
    }
  }

  /** Releases the locks of a stream that is no longer used. */
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

/** Takes the write lock without changing anything. */
const LOCK = 'update oauth_leases set holder = holder where 1 = 0'
/** A lease without a holder. It counts these checks. */
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
