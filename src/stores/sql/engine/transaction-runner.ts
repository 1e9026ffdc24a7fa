import type { Kysely } from 'kysely'
import { Deadlines } from '../../../deadlines.ts'
import type { Ending, TransactionStores } from '../../contract/backend.ts'
import type { StoreContext } from '../../contract/context.ts'
import { StoreError } from '../../contract/errors.ts'
import type { StoreObserver } from '../../contract/store-observer.ts'
import { DatabaseError, isConflict, isOutcomeUnknown, storeError } from '../core/database-error.ts'
import { backOff, isRetryable, retryUntil } from '../core/retry.ts'
import type { Database } from '../core/schema.ts'
import { confirmed } from './commit-outcome.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { WriteSession } from './write-session.ts'

type WorkIn<T> = (session: WriteSession) => Promise<Ending<T>>

/** The progress of a call's transaction. */
interface Progress {
  /** Whether the transaction may have committed. */
  commitSent: boolean
  /** The caller was told that the transaction did not commit. */
  callerLeft: boolean
}

/**
 * Runs transactions that decide races. A transaction that lost a deadlock or met a lock is rolled back and run again from the
 * start, after a random pause, until the call's deadline.
 */
export class TransactionRunner {
  readonly #pool: ConnectionPool<WriteSession>
  readonly #jitter: () => number
  readonly #observer: StoreObserver | undefined
  readonly #deadlines = new Deadlines()

  constructor(pool: ConnectionPool<WriteSession>, jitter: () => number, observer?: StoreObserver) {
    this.#pool = pool
    this.#jitter = jitter
    this.#observer = observer
  }

  async run<T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<T> {
    return await this.#runIn(ctx, ({ stores }) => work(stores))
  }

  /** The same for background work, which needs the database instead of its stores. */
  async runBare<T>(ctx: StoreContext, work: (db: Kysely<Database>) => Promise<Ending<T>>): Promise<T> {
    return await this.#runIn(ctx, ({ db }) => work(db))
  }

  async #runIn<T>(ctx: StoreContext, work: WorkIn<T>): Promise<T> {
    const progress: Progress = { commitSent: false, callerLeft: false }
    return await this.#deadlines.within(ctx.deadline, this.#runUntil(retryUntil(ctx), ctx, work, progress), () => {
      if (progress.commitSent) {
        return new StoreError('outcome_unknown', 'the database did not confirm the commit before the deadline')
      }
      progress.callerLeft = true
      return new StoreError('unavailable', 'the database did not answer before the deadline')
    })
  }

  async #runUntil<T>(until: number, ctx: StoreContext, work: WorkIn<T>, progress: Progress): Promise<T> {
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await this.#pool.use(ctx, (session) => this.#attempt(session, work, until, progress))
      } catch (error) {
        if (!isRetryable(error, attempts, until)) throw storeError(error)
        ctx.log.debug({ rayId: ctx.rayId, attempts, kind: error.kind }, 'transaction rolled back; retrying')
        this.#observer?.triedAgain('transaction', error.kind)
        ctx.span?.note('tried again', { 'qscope.cause': error.kind })
        await backOff(attempts, until, this.#jitter)
      }
    }
  }

  async #attempt<T>(session: WriteSession, work: WorkIn<T>, until: number, progress: Progress): Promise<T> {
    progress.commitSent = false
    session.last.reset()
    session.failure = null
    try {
      await session.writer.begin()
      const ending = await work(session)
      if (!ending.commit) {
        await session.writer.rollback()
        return ending.value
      }
      const sealed = await session.writeLast(session.last)
      // Applies even if `work` caught the error: after a failed statement the database may have discarded the previous ones.
      if (session.failure !== null) throw session.failure
      if (progress.callerLeft) throw new DatabaseError('unavailable', 'the caller was told that nothing is written')
      progress.commitSent = true
      await confirmed(session, sealed, () => session.writer.commit(), until, this.#jitter)
      return ending.value
    } catch (error) {
      if (isOutcomeUnknown(error)) throw error
      await session.writer.rollback()
      // A lost race may appear as a failed statement. The race is the cause.
      throw isConflict(error) ? error : (session.failure ?? error)
    }
  }
}
