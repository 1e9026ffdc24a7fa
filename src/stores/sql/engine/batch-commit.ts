import type { AccessToken } from '../../../domain/access-token.ts'
import type { ChainedEvents, SealedEvents } from '../audit/chain.ts'
import { orRollBack, type RecordedStatement, type Statement } from '../core/dialect.ts'
import { AccessTokenInserts } from '../tables/access-tokens.ts'
import type { LastRows } from '../tables/last-rows.ts'
import { confirmed } from './commit-outcome.ts'
import { CommitRun, type SealedBatch } from './commit-run.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { WriteSession } from './write-session.ts'

/** The writes of one call. */
export interface EntryRows extends LastRows {
  /** A recorded transaction, which commits only if it runs as recorded. Empty: none. */
  readonly recorded: readonly RecordedStatement[]
  readonly tokens: readonly AccessToken[]
}

const NO_ENTRIES: ReadonlySet<EntryRows> = new Set()

/** Commits the entries of a batch in one transaction. Seals its audit rows in the order of sending. */
export class BatchCommit {
  readonly #pool: ConnectionPool<WriteSession>
  readonly #tokenInserts: AccessTokenInserts
  readonly #takesRecorded: boolean
  readonly #jitter: () => number
  /** The batches in progress, which another one may follow. */
  #run: CommitRun | null = null

  /** `pool` must hold only the session. */
  constructor(pool: ConnectionPool<WriteSession>, { db, writer }: WriteSession, jitter: () => number) {
    this.#pool = pool
    this.#takesRecorded = writer.pipeline?.form.takesRecorded ?? false
    this.#tokenInserts = new AccessTokenInserts(db)
    this.#jitter = jitter
  }

  /** Whether a batch may be sent while others are in progress. */
  get takesAnother(): boolean {
    return this.#run?.isOpen === true && this.#pool.load.waiting === 0
  }

  /**
   * Commits the rows of all entries together, except those whose recorded transaction the database rejected. Returns those
   * entries. Throws with nothing written, or `outcome_unknown` if the outcome could not be determined before `until`.
   */
  async commit(entries: readonly EntryRows[], until: number): Promise<ReadonlySet<EntryRows>> {
    const follows = mayFollow(lastRowsOf(entries)) && (this.#takesRecorded || recordedOf(entries).length === 0)
    if (follows && this.#run !== null && this.takesAnother) return await this.#commitIn(this.#run, entries, until)
    const { promise, resolve, reject } = Promise.withResolvers<ReadonlySet<EntryRows>>()
    const inSession = async (session: WriteSession) => {
      const { pipeline } = session.writer
      session.chain.renewIfIdle()
      if (pipeline === null || session.chain.isNew || !follows) {
        return resolve(await this.#commitAlone(session, entries, until))
      }
      const run = new CommitRun(session, pipeline, this.#jitter)
      this.#run = run
      // Callers wait only for their batch. The session waits for the whole run.
      this.#commitIn(run, entries, until).then(resolve, reject)
      await run.ended
      this.#run = null
    }
    this.#pool.use(null, inSession).catch(reject)
    return await promise
  }

  /** Commits after the batches of a run. If rows were not written because of another batch or entry, they are sent again without it. */
  async #commitIn(run: CommitRun, entries: readonly EntryRows[], until: number): Promise<ReadonlySet<EntryRows>> {
    const stands = await run.commit((previous) => this.#sealedBehind(previous, run, entries), until)
    if (stands === null) return await this.commit(entries, until)
    const rejected = new Set(recordedOf(entries).filter((_, at) => stands[at] !== true))
    const others = entries.filter((entry) => !rejected.has(entry))
    if (rejected.size === 0 || others.length === 0) return rejected
    return new Set([...rejected, ...(await this.commit(others, until))])
  }

  #sealedBehind(
    previous: ChainedEvents | null,
    { session: { chain }, form }: CommitRun,
    entries: readonly EntryRows[],
  ): SealedBatch {
    const sealed = chain.sealNext(lastRowsOf(entries).events, previous, form)
    const tokens = this.#tokenInserts.inForm(
      entries.flatMap((entry) => entry.tokens),
      form,
    )
    return {
      recorded: recordedOf(entries).map(({ recorded }) => recorded),
      inserts: [...tokens, ...sealed.rows],
      head: sealed.head,
      sealed,
    }
  }

  async #commitAlone(
    session: WriteSession,
    entries: readonly EntryRows[],
    until: number,
  ): Promise<ReadonlySet<EntryRows>> {
    if (session.writer.runsRecorded && entries.some(({ recorded }) => recorded.length > 0)) {
      return await this.#runRecorded(session, entries, until)
    }
    await this.#appendAll(session, entries, until)
    return NO_ENTRIES
  }

  async #appendAll(session: WriteSession, entries: readonly EntryRows[], until: number): Promise<void> {
    const { chain, writer } = session
    const inserts = this.#insertsOf(entries)
    const { events } = lastRowsOf(entries)
    // Rows without an event cannot be traced afterwards.
    if (events.length === 0) return await writer.batch(inserts)
    if (!chain.isNew) {
      const sealed = chain.seal(events)
      const commit = () => writer.batch([...inserts, ...sealed.statements])
      return await confirmed(session, sealed, commit, until, this.#jitter)
    }
    await writer.begin()
    const sealed = await orRollBack(writer, () => writtenAfter(session, inserts, { events, ended: [] }))
    await confirmed(session, sealed, () => writer.commit(), until, this.#jitter)
  }

  /** Recorded transactions run first, because their success decides which events are written. */
  async #runRecorded(
    session: WriteSession,
    entries: readonly EntryRows[],
    until: number,
  ): Promise<ReadonlySet<EntryRows>> {
    const { chain, writer } = session
    const stands = await writer.beginRecorded(entries.map(({ recorded }) => recorded))
    const rejected = new Set(entries.filter((_, at) => stands[at] !== true))
    const accepted = entries.filter((entry) => !rejected.has(entry))
    // The transaction is open. If sealing fails, it is rolled back.
    const prepared = await orRollBack(writer, async () => {
      const inserts = this.#insertsOf(accepted)
      const last = lastRowsOf(accepted)
      if (chain.isNew) return { sealed: await writtenAfter(session, inserts, last), last: [] }
      const sealed = chain.seal(last.events)
      await session.tell(sealed, last.ended)
      return { sealed, last: [...inserts, ...sealed.statements] }
    })
    await confirmed(session, prepared.sealed, () => writer.commitAfter(prepared.last), until, this.#jitter)
    return rejected
  }

  #insertsOf(entries: readonly EntryRows[]): readonly Statement[] {
    return this.#tokenInserts.of(entries.flatMap(({ tokens }) => tokens))
  }
}

function recordedOf(entries: readonly EntryRows[]): readonly EntryRows[] {
  return entries.filter(({ recorded }) => recorded.length > 0)
}

/** Whether rows can be sealed before they are sent. Only events can: facts that ended are numbered in the open transaction. */
function mayFollow({ events, ended }: LastRows): boolean {
  return events.length > 0 && ended.length === 0
}

function lastRowsOf(entries: readonly EntryRows[]): LastRows {
  return { events: entries.flatMap(({ events }) => events), ended: entries.flatMap(({ ended }) => ended) }
}

/** Writes rows and the first events of a chain in the open transaction, which queries the database. */
async function writtenAfter(
  session: WriteSession,
  inserts: readonly Statement[],
  last: LastRows,
): Promise<SealedEvents> {
  for (const statement of inserts) await session.writer.execute(statement)
  return await session.writeLast(last)
}
