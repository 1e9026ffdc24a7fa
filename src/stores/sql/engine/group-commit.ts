import type { Span } from '../../../context.ts'
import { Deadlines } from '../../../deadlines.ts'
import type { AccessToken } from '../../../domain/access-token.ts'
import type { EndedFact } from '../../../domain/revocation.ts'
import type { AppendStores } from '../../contract/backend.ts'
import type { StoreContext } from '../../contract/context.ts'
import { StoreError } from '../../contract/errors.ts'
import type { StoreObserver } from '../../contract/store-observer.ts'
import { DatabaseError, failureOf, observed, storeError } from '../core/database-error.ts'
import type { RecordedStatement } from '../core/dialect.ts'
import { backOff, isRetryable, retryUntil } from '../core/retry.ts'
import type { LastRows } from '../tables/last-rows.ts'
import { EntryStores } from '../tables/stores.ts'
import type { BatchCommit, EntryRows } from './batch-commit.ts'

/** The largest batch. Further entries go with the next one. */
const MAX_BATCH_SIZE = 256
/** The most batches in progress. Later entries form a larger batch. */
const MAX_UNDER_WAY = 16
const NOTHING_RECORDED: readonly RecordedStatement[] = Object.freeze([])
const NO_TOKENS: readonly AccessToken[] = Object.freeze([])
const NOTHING_ENDED: readonly EndedFact[] = Object.freeze([])

/** The writes of one call. */
class Entry implements EntryRows {
  readonly recorded: readonly RecordedStatement[]
  readonly tokens: readonly AccessToken[]
  readonly events: LastRows['events']
  readonly ended: LastRows['ended']
  readonly until: number
  readonly span: Span | undefined
  /** Resolves with whether the entry was written. `false`: it did not run as recorded, and nothing of it was written. */
  readonly written: Promise<boolean>
  readonly done: (stands: boolean) => void
  readonly failed: (error: unknown) => void
  /** Set after a batch with this entry was rejected. It is then sent without others. */
  sentAlone = false

  constructor(ctx: StoreContext, { recorded, tokens, events, ended }: EntryRows) {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    this.recorded = recorded
    this.tokens = tokens
    this.events = events
    this.ended = ended
    this.until = retryUntil(ctx)
    this.span = ctx.span
    this.written = promise
    this.done = resolve
    this.failed = reject
  }
}

/**
 * Group commit: entries of concurrent calls share a transaction. The next batch is sent when the previous one has ended, or,
 * if the database pipelines batches, at the end of the turn. There is no fixed delay. After a failure, the entries of a batch
 * are sent one by one, so that only the faulty entry fails.
 */
export class GroupCommit {
  readonly #batches: BatchCommit
  readonly #jitter: () => number
  readonly #maxQueued: number
  readonly #observer: StoreObserver | undefined
  /** When the first waiting entry began to wait. */
  #since = 0
  readonly #deadlines = new Deadlines()
  #queue = new Set<Entry>()
  /** The number of batches in progress. */
  #underWay = 0
  /** The number of attempts for the current batches. */
  #attempts = 1
  #isScheduled = false
  #isBackingOff = false
  #closed = false
  #whenIdle: (() => void) | null = null

  constructor(batches: BatchCommit, maxQueued: number, jitter: () => number, observer?: StoreObserver) {
    this.#batches = batches
    this.#maxQueued = maxQueued
    this.#jitter = jitter
    this.#observer = observer
  }

  /** The number of unsent entries. */
  get waiting(): number {
    return this.#queue.size
  }

  /** Resolves after the entry's commit is durable. */
  async add(ctx: StoreContext, fill: (stores: AppendStores) => void): Promise<void> {
    const stores = new EntryStores()
    fill(stores)
    await this.#enqueue(ctx, {
      recorded: NOTHING_RECORDED,
      tokens: stores.accessTokens.rows,
      events: stores.auditLog.rows,
      ended: NOTHING_ENDED,
    })
  }

  /**
   * Resolves with `true` after the commit is durable. Resolves with `false` if the recorded transaction was rejected. Nothing
   * of it is then written.
   */
  async addRecorded(
    ctx: StoreContext,
    { statements, events, ended }: LastRows & { readonly statements: readonly RecordedStatement[] },
  ): Promise<boolean> {
    return await this.#enqueue(ctx, { recorded: statements, tokens: NO_TOKENS, events, ended })
  }

  /** Writes the queued entries and rejects new ones. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#queue.size === 0 && this.#underWay === 0) return
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve
    })
  }

  /** A call's signal is costly to create, so it is read only if the entry waits for a batch. */
  async #enqueue(ctx: StoreContext, rows: EntryRows): Promise<boolean> {
    if (this.#closed) throw new StoreError('unavailable', 'the database is closing')
    if (this.#queue.size >= this.#maxQueued) {
      throw new StoreError('unavailable', `more than ${this.#maxQueued} calls are waiting to be written`)
    }
    const signal = this.#maySend() ? null : ctx.signal
    signal?.throwIfAborted()
    const entry = new Entry(ctx, rows)
    if (signal !== null) this.#leaveOn(signal, entry)
    if (this.#queue.size === 0) this.#since = performance.now()
    this.#queue.add(entry)
    this.#sendSoon()
    return await this.#deadlines.within(ctx.deadline, entry.written, () => this.#late(entry))
  }

  #late(entry: Entry): StoreError {
    const error = this.#queue.delete(entry)
      ? new StoreError('unavailable', 'the database did not accept the write before the deadline')
      : new StoreError('outcome_unknown', 'the database did not confirm the commit before the deadline')
    entry.failed(error)
    return error
  }

  /** Removes an entry from the queue when its call is cancelled. The database decides the outcome of a sent one. */
  #leaveOn(signal: AbortSignal, entry: Entry): void {
    const leave = () => {
      if (this.#queue.delete(entry)) entry.failed(signal.reason)
    }
    const stopListening = () => signal.removeEventListener('abort', leave)
    signal.addEventListener('abort', leave, { once: true })
    entry.written.then(stopListening, stopListening)
  }

  /**
   * A single entry is sent once all calls that resumed with its call have had their turn. Several wait for the end of the
   * event loop's turn, which makes larger commits.
   */
  #sendSoon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    process.nextTick(() => {
      if (this.#queue.size === 1 && this.#underWay === 0) this.#sendScheduled()
      else setImmediate(this.#sendScheduled)
    })
  }

  readonly #sendScheduled = (): void => {
    this.#isScheduled = false
    this.#sendWaiting()
  }

  #sendWaiting(): void {
    while (this.#queue.size > 0 && this.#maySend()) void this.#send(this.#take())
    if (this.#queue.size === 0 && this.#underWay === 0) this.#whenIdle?.()
  }

  #maySend(): boolean {
    if (this.#underWay === 0) return !this.#isBackingOff
    return !this.#isBackingOff && this.#underWay < MAX_UNDER_WAY && this.#batches.takesAnother
  }

  async #send(entries: readonly Entry[]): Promise<void> {
    const until = Math.max(...entries.map((entry) => entry.until))
    this.#underWay += 1
    try {
      const rejected = await observed(this.#report(entries), () => this.#batches.commit(entries, until))
      for (const entry of entries) entry.done(!rejected.has(entry))
      this.#attempts = 1
    } catch (error) {
      this.#failed(entries, until, error)
    }
    this.#underWay -= 1
    this.#sendWaiting()
  }

  #failed(entries: readonly Entry[], until: number, error: unknown): void {
    if (isRetryable(error, this.#attempts, until)) {
      this.#putBack(this.#notExpired(entries, error))
      this.#observer?.triedAgain('append', error.kind)
      void this.#backOff(until)
    } else if (entries.length > 1 && isOfOneEntry(error)) {
      for (const entry of entries) entry.sentAlone = true
      this.#putBack(entries)
    } else {
      this.#observer?.appendFailed(failureOf(error))
      for (const entry of entries) entry.failed(storeError(error))
      this.#attempts = 1
    }
  }

  /** Sends nothing for a while. Batches that failed together wait together. */
  async #backOff(until: number): Promise<void> {
    if (this.#isBackingOff) return
    this.#isBackingOff = true
    await backOff(this.#attempts, until, this.#jitter)
    this.#attempts += 1
    this.#isBackingOff = false
    this.#sendWaiting()
  }

  #report(entries: readonly Entry[]) {
    if (this.#observer === undefined) return undefined
    const waitedMs = performance.now() - this.#since
    return this.#observer.appendSent({ size: entries.length, waitedMs, spans: spansOf(entries) })
  }

  #take(): readonly Entry[] {
    const entries: Entry[] = []
    for (const entry of this.#queue) {
      if (entries.length === MAX_BATCH_SIZE || (entry.sentAlone && entries.length > 0)) break
      entries.push(entry)
      this.#queue.delete(entry)
      if (entry.sentAlone) break
    }
    return entries
  }

  #putBack(entries: readonly Entry[]): void {
    this.#queue = new Set([...entries, ...this.#queue])
  }

  #notExpired(entries: readonly Entry[], error: unknown): readonly Entry[] {
    const now = Date.now()
    for (const entry of entries) if (entry.until <= now) entry.failed(storeError(error))
    return entries.filter((entry) => entry.until > now)
  }
}

function spansOf(entries: readonly Entry[]): readonly Span[] {
  return entries.flatMap(({ span }) => span ?? [])
}

/** Whether the rows of one entry may have caused the error, and not the database. */
function isOfOneEntry(error: unknown): boolean {
  return !(error instanceof DatabaseError) || error.kind === 'duplicate' || error.kind === 'refused'
}
