import type { ChainedEvents, Sealed } from '../audit/chain.ts'
import { isOutcomeUnknown } from '../core/database-error.ts'
import type { BatchForm, ChainedBatch, CommitPipeline } from '../core/dialect.ts'
import { lastCommitted, notWritten } from './commit-outcome.ts'
import type { WriteSession } from './write-session.ts'

/** A batch and its events, sealed after those of the previous batch. */
export interface SealedBatch extends ChainedBatch {
  readonly sealed: ChainedEvents
}

interface Unconfirmed {
  readonly sealed: ChainedEvents
  readonly until: number
}

/**
 * Batches in progress, each sealed on the assumption that the previous one commits. The run holds the session and ends when
 * all batches have ended. After a failed commit, it sends no more batches. Those already sent were not written either.
 */
export class CommitRun {
  readonly session: WriteSession
  /** Resolves when all batches have ended. */
  readonly ended: Promise<void>
  readonly #pipeline: CommitPipeline
  readonly #jitter: () => number
  readonly #end: () => void
  /** The last sealed events. `null`: continue from the committed ones. */
  #last: ChainedEvents | null = null
  /** The batches without an answer of the database, or whose callers have not been notified. */
  #unanswered = 0
  #underWay = 0
  /** Resolves when the database has answered everything sent before a failure. */
  readonly #answered = Promise.withResolvers<void>()
  readonly #unconfirmed: Unconfirmed[] = []
  #readingBack: Promise<Sealed | null> | null = null
  #isBroken = false

  constructor(session: WriteSession, pipeline: CommitPipeline, jitter: () => number) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.session = session
    this.ended = promise
    this.#end = resolve
    this.#pipeline = pipeline
    this.#jitter = jitter
  }

  /** The form of its batches. */
  get form(): BatchForm {
    return this.#pipeline.form
  }

  /** Whether another batch may follow. */
  get isOpen(): boolean {
    return !this.#isBroken
  }

  /**
   * Seals a batch after those sent before, and commits it. Returns the result of {@link CommitPipeline.commitNext}.
   *
   * @throws DatabaseError with nothing written, or `outcome_unknown`.
   */
  async commit(
    seal: (previous: ChainedEvents | null) => SealedBatch,
    until: number,
  ): Promise<readonly boolean[] | null> {
    this.#underWay += 1
    try {
      const previous = this.#last
      const batch = seal(previous)
      this.#last = batch.sealed
      const stands = await this.#send(batch, until)
      // The stored head is not the committed one: somebody changed it. It is not overwritten.
      if (stands === null && previous === null) this.session.chain.restart()
      return stands
    } catch (error) {
      this.#isBroken = true
      throw error
    } finally {
      this.#underWay -= 1
      if (this.#underWay === 0) this.#end()
    }
  }

  async #send(batch: SealedBatch, until: number): Promise<readonly boolean[] | null> {
    const { recorded, sealed } = batch
    let failure: unknown
    this.#unanswered += 1
    try {
      const stands = await this.#pipeline.commitNext(batch)
      if (stands?.every(Boolean)) this.session.chain.advance(sealed)
      else this.#isBroken = true
      return stands
    } catch (error) {
      this.#isBroken = true
      if (!isOutcomeUnknown(error)) throw error
      failure = error
      this.#unconfirmed.push({ sealed, until })
    } finally {
      this.#unanswered -= 1
      if (this.#unanswered === 0 && this.#isBroken) this.#answered.resolve()
    }
    if (await this.#isCommitted(sealed)) return recorded.map(() => true)
    throw notWritten(failure)
  }

  /** Queries the outcome once no batch is in progress. */
  async #isCommitted({ end }: Sealed): Promise<boolean> {
    await this.#answered.promise
    const until = Math.max(...this.#unconfirmed.map((one) => one.until))
    const sent = this.#unconfirmed.map(({ sealed }) => sealed)
    this.#readingBack ??= lastCommitted(this.session, sent, until, this.#jitter)
    const last = await this.#readingBack
    return last !== null && end.sequence <= last.end.sequence
  }
}
