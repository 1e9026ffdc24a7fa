import { messageOf } from '../../../message-of.ts'
import { DatabaseError, isConflict } from '../core/database-error.ts'
import type { BatchForm, ChainedBatch, CommitPipeline, Statement } from '../core/dialect.ts'
import type { Written } from './driver.ts'
import type { ServerConnection } from './server-connection.ts'

const BEGIN: Statement = Object.freeze({ sql: 'begin', parameters: [] })
const COMMIT: Statement = Object.freeze({ sql: 'commit', parameters: [] })

/** A batch with waiting callers. */
interface Waiting {
  readonly batch: ChainedBatch
  /** `null`: not written, because the previous batch was not. */
  readonly resolve: (stands: readonly boolean[] | null) => void
  readonly reject: (error: unknown) => void
}

/** The head is not at the expected place. */
class LostHeadError extends Error {}

/**
 * Commits batches on one connection, each transaction in one round trip: begin, rows and commit are sent together. Batches
 * that arrive in the meantime share the next transaction. The commit is reached only if the head of the chain was moved, and
 * it moves only from the place that the writer saw last. After a broken connection, a transaction that changes the head reads
 * it back. Statements that were sent before and have not yet run then fail.
 */
export class ServerPipeline implements CommitPipeline {
  readonly form: BatchForm = Object.freeze({ takesRecorded: false, rowByRow: false, refusesLostHead: true })
  readonly #connection: ServerConnection
  readonly #rollback: () => Promise<void>
  #waiting: Waiting[] = []
  #isRunning = false

  constructor(connection: ServerConnection, rollback: () => Promise<void>) {
    this.#connection = connection
    this.#rollback = rollback
  }

  async commitNext(batch: ChainedBatch): Promise<readonly boolean[] | null> {
    if (batch.recorded.length > 0) throw new Error('what is recorded is committed by itself, once it went as recorded')
    const { promise, resolve, reject } = Promise.withResolvers<readonly boolean[] | null>()
    this.#waiting.push({ batch, resolve, reject })
    if (!this.#isRunning) void this.#run()
    return await promise
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) await this.#commitAll(this.#take())
    this.#isRunning = false
  }

  #take(): readonly Waiting[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }

  /** Commits them together, or one by one if one of them is faulty. */
  async #commitAll(batches: readonly Waiting[]): Promise<void> {
    try {
      await this.#commit(batches)
      for (const { resolve } of batches) resolve([])
    } catch (error) {
      if (batches.length > 1 && isOfOneBatch(error)) await this.#commitOneByOne(batches)
      else this.#fail(batches, error)
    }
  }

  /** Stops at the first failure. */
  async #commitOneByOne(batches: readonly Waiting[]): Promise<void> {
    for (const [at, one] of batches.entries()) {
      try {
        await this.#commit([one])
        one.resolve([])
      } catch (error) {
        for (const { resolve } of batches.slice(at + 1)) resolve(null)
        return this.#fail([one], error)
      }
    }
  }

  /** Waiting batches depend on these, and are not written either. */
  #fail(batches: readonly Waiting[], error: unknown): void {
    for (const { resolve, reject } of batches) {
      if (error instanceof LostHeadError) resolve(null)
      else reject(error)
    }
    for (const { resolve } of this.#take()) resolve(null)
  }

  async #commit(batches: readonly Waiting[]): Promise<void> {
    await this.#connection.ready()
    const heads = new Set<Statement>(batches.map(({ batch }) => batch.head))
    const statements = [BEGIN, ...batches.flatMap(({ batch: { inserts, head } }) => [...inserts, head]), COMMIT]
    const { affected, failure } = await this.#written(statements)
    if (failure === null) return
    await this.#rollback()
    const refused = statements[affected.length]
    if (refused === COMMIT) throw unconfirmed(failure)
    throw refused !== undefined && heads.has(refused) && failure.kind === 'refused' ? new LostHeadError() : failure
  }

  /** Without an answer, the commit may have been reached. */
  async #written(statements: readonly Statement[]): Promise<Written> {
    try {
      return await this.#connection.writeAndCommit(statements)
    } catch (error) {
      throw error instanceof DatabaseError ? unconfirmed(error) : error
    }
  }
}

/** The error of a write that may have been committed, unless it lost to another transaction. */
export function unconfirmed(error: unknown): DatabaseError {
  if (isConflict(error)) return error
  return new DatabaseError('outcome_unknown', `the commit was not confirmed: ${messageOf(error)}`, error)
}

/** Whether the rows of one batch may have caused the error, and not the database. */
function isOfOneBatch(error: unknown): boolean {
  return !(error instanceof DatabaseError) || error.kind === 'duplicate' || error.kind === 'refused'
}
