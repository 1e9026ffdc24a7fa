import { Deadlines } from '../../deadlines.ts'
import type { AccessToken } from '../../domain/access-token.ts'
import type { AuditEvent } from '../../domain/audit-event.ts'
import type { Span } from '../../trace.ts'
import { type AppendStores, type StoreContext, StoreError } from '../contract.ts'
import type { StoreObserver } from '../store-observer.ts'
import { DatabaseError, storeError } from './database-error.ts'
import type { DraftedStatement } from './dialect.ts'
import { failureOf, observed } from './observed.ts'
import { backOff, isWorthAnotherTry, patienceOf } from './retry.ts'

/** More units than this go with the next batch. */
const LARGEST_BATCH = 256
const NO_DRAFT: readonly DraftedStatement[] = Object.freeze([])
const NO_TOKENS: readonly AccessToken[] = Object.freeze([])

/** What one call writes. */
export interface AppendedRows {
  /** A drafted transaction, which stands only as it was drafted; empty: nothing is decided. */
  readonly draft: readonly DraftedStatement[]
  readonly tokens: readonly AccessToken[]
  readonly events: readonly AuditEvent[]
}

interface Unit extends AppendedRows {
  readonly until: number
  readonly span: Span | undefined
  /** Sent without others, after a batch it was in was refused. */
  alone: boolean
  /** Whether all of it is written; `false`: none, for it did not go as drafted. */
  readonly done: (stands: boolean) => void
  readonly failed: (error: unknown) => void
}

/**
 * Commits the rows of all units together, save those whose draft the database
 * refuted, which it returns; throws with nothing written, or `outcome_unknown`
 * if that could not be found out `until` then.
 */
export type SendUnits = (units: readonly AppendedRows[], until: number) => Promise<ReadonlySet<AppendedRows>>

/**
 * Group commit. Units of concurrent calls share a transaction; the next one is
 * sent when the one before is back, never after a fixed delay. A batch that the
 * database refuses is sent again unit by unit, so only the unit at fault fails.
 */
export class AppendLane {
  readonly #send: SendUnits
  readonly #jitter: () => number
  readonly #maxQueued: number
  readonly #observer: StoreObserver | undefined
  /** When the first of those began to wait that wait now. */
  #since = 0
  readonly #deadlines = new Deadlines()
  #queue = new Set<Unit>()
  #running: Promise<void> | null = null
  #closed = false

  constructor(send: SendUnits, maxQueued: number, jitter: () => number, observer?: StoreObserver) {
    this.#send = send
    this.#maxQueued = maxQueued
    this.#jitter = jitter
    this.#observer = observer
  }

  /** How many units wait to be sent. */
  get waiting(): number {
    return this.#queue.size
  }

  /** Resolves after the unit's commit is durable. */
  async add(ctx: StoreContext, fill: (stores: AppendStores) => void): Promise<void> {
    const tokens: AccessToken[] = []
    const events: AuditEvent[] = []
    fill({
      accessTokens: { insert: (token) => void tokens.push(token) },
      auditLog: { append: (event) => void events.push(event) },
    })
    await this.#enqueue(ctx, { draft: NO_DRAFT, tokens, events })
  }

  /**
   * Resolves after the commit is durable, or with `false` if the draft was refuted
   * and nothing of it is written.
   */
  async addDraft(
    ctx: StoreContext,
    {
      statements,
      events,
    }: { readonly statements: readonly DraftedStatement[]; readonly events: readonly AuditEvent[] },
  ): Promise<boolean> {
    return await this.#enqueue(ctx, { draft: statements, tokens: NO_TOKENS, events })
  }

  /** Writes out what waits, and refuses newcomers. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  /** The signal of a call is costly to make: it is read only when the unit waits behind a batch. */
  async #enqueue(ctx: StoreContext, rows: AppendedRows): Promise<boolean> {
    if (this.#closed) throw new StoreError('unavailable', 'the database is being closed')
    if (this.#queue.size >= this.#maxQueued) {
      throw new StoreError('unavailable', `more than ${this.#maxQueued} calls wait to be written`)
    }
    const signal = this.#running === null ? null : ctx.signal
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const stopListening = () => signal?.removeEventListener('abort', leave)
    const unit: Unit = {
      ...rows,
      until: patienceOf(ctx),
      span: ctx.span,
      alone: false,
      done: (stands) => {
        stopListening()
        resolve(stands)
      },
      failed: (error) => {
        stopListening()
        reject(error)
      },
    }
    // A unit that was sent is no longer in the queue, and ends as the database says.
    const leave = () => {
      if (this.#queue.delete(unit)) reject(signal?.reason)
    }
    signal?.addEventListener('abort', leave, { once: true })
    if (this.#queue.size === 0) this.#since = performance.now()
    this.#queue.add(unit)
    this.#running ??= this.#run()
    return await this.#deadlines.within(ctx.deadline, promise, () => {
      stopListening()
      return this.#queue.delete(unit)
        ? new StoreError('unavailable', 'the database took nothing more before the deadline')
        : new StoreError('outcome_unknown', 'the database did not confirm before the deadline')
    })
  }

  async #run(): Promise<void> {
    // What the rest of this turn of the event loop adds goes along.
    await new Promise((resolve) => setImmediate(resolve))
    for (let attempts = 1; this.#queue.size > 0; ) {
      const units = this.#take()
      const until = Math.max(...units.map((unit) => unit.until))
      try {
        const refuted = await observed(this.#tell(units), () => this.#send(units, until))
        for (const unit of units) unit.done(!refuted.has(unit))
        attempts = 1
      } catch (error) {
        if (isWorthAnotherTry(error, attempts, until)) {
          this.#putBack(this.#stillPatient(units, error))
          this.#observer?.triedAgain('append', error.kind)
          await backOff(attempts, until, this.#jitter)
          attempts += 1
        } else if (units.length > 1 && isOfOneUnit(error)) {
          for (const unit of units) unit.alone = true
          this.#putBack(units)
        } else {
          this.#observer?.appendFailed(failureOf(error))
          for (const unit of units) unit.failed(storeError(error))
          attempts = 1
        }
      }
    }
    this.#running = null
  }

  #tell(units: readonly Unit[]) {
    if (this.#observer === undefined) return undefined
    const waitedMs = performance.now() - this.#since
    return this.#observer.appendSent({ size: units.length, waitedMs, spans: spansOf(units) })
  }

  #take(): readonly Unit[] {
    const units: Unit[] = []
    for (const unit of this.#queue) {
      if (units.length === LARGEST_BATCH || (unit.alone && units.length > 0)) break
      units.push(unit)
      this.#queue.delete(unit)
      if (unit.alone) break
    }
    return units
  }

  #putBack(units: readonly Unit[]): void {
    this.#queue = new Set([...units, ...this.#queue])
  }

  #stillPatient(units: readonly Unit[], error: unknown): readonly Unit[] {
    const now = Date.now()
    for (const unit of units) if (unit.until <= now) unit.failed(storeError(error))
    return units.filter((unit) => unit.until > now)
  }
}

function spansOf(units: readonly Unit[]): readonly Span[] {
  return units.flatMap(({ span }) => span ?? [])
}

/** Whether one unit's rows may be at fault, rather than the database. */
function isOfOneUnit(error: unknown): boolean {
  return !(error instanceof DatabaseError) || error.kind === 'duplicate' || error.kind === 'refused'
}
