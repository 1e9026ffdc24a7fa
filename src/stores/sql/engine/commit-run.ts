import type { ChainedEvents, Sealed } from '../audit/chain.ts'
import { isOutcomeUnknown } from '../core/database-error.ts'
import type { BatchForm, ChainedBatch, CommitPipeline } from '../core/dialect.ts'
import { lastCommitted, notWritten } from './commit-outcome.ts'
import type { WriteSession } from './write-session.ts'

/** A batch, and its events as they were sealed behind those of the batch before. */
export interface SealedBatch extends ChainedBatch {
  readonly sealed: ChainedEvents
}

interface Unconfirmed {
  readonly sealed: ChainedEvents
  readonly until: number
}

/**
 * Batches on their way to the database, each sealed as if the one before were
 * committed. It holds the session, and ends when all of them are back. After one that
 * did not commit, none is sent any more; those behind it were not written either.
 */
export class CommitRun {
  readonly session: WriteSession
  /** Resolves when all batches are back. */
  readonly ended: Promise<void>
  readonly #pipeline: CommitPipeline
  readonly #jitter: () => number
  readonly #end: () => void
  /** What was sealed last; `null`: what is committed comes first. */
  #last: ChainedEvents | null = null
  /** Batches that the database has not answered, and those whose callers are not told yet. */
  #unanswered = 0
  #underWay = 0
  /** Resolves when the database has answered all that was sent before one failed. */
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

  /** How its batches are put. */
  get form(): BatchForm {
    return this.#pipeline.form
  }

  /** Whether another batch may follow. */
  get isOpen(): boolean {
    return !this.#isBroken
  }

  /**
   * Seals a batch behind what was sent before, and commits it; returns what
   * {@link CommitPipeline.commitNext} says of it.
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
      // The stored head is not the one that was committed: somebody changed it, and it is not written over.
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

  /** Once no batch is under way any more: the session asks what became of them. */
  async #isCommitted({ end }: Sealed): Promise<boolean> {
    await this.#answered.promise
    const until = Math.max(...this.#unconfirmed.map((one) => one.until))
    const sent = this.#unconfirmed.map(({ sealed }) => sealed)
    this.#readingBack ??= lastCommitted(this.session, sent, until, this.#jitter)
    const last = await this.#readingBack
    return last !== null && end.sequence <= last.end.sequence
  }
}
