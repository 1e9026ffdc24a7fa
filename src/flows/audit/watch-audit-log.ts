import { backgroundContext, type CallContext } from '../../context.ts'
import { MAX_AUDIT_CURSOR_LENGTH, openAuditCursor, sealAuditCursor } from '../../crypto/audit-cursor.ts'
import type { Keyring } from '../../crypto/keyring.ts'
import type { AuditEvent } from '../../domain/audit-event.ts'
import { type AuditPosition, positionBehind } from '../../domain/audit-position.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { WaitingQuota } from '../../rate-limits/waiting-quota.ts'
import { type FailedResult, fail, invalidRequest, RETRY_AFTER_MS, type Result, success } from '../../results.ts'
import { refusalForStoreError } from '../../store-failure.ts'
import type { AuditFilter } from '../../stores/contract/audit-log.ts'
import type { AuditFeed } from './audit-feed.ts'
import type { AuditPage, AuditReading } from './audit-reading.ts'

const HEARTBEAT_MS = 15_000
/**
 * A waiting watcher is authenticated again at this interval. A reading watcher is authenticated again before it gets
 * events later than this.
 */
const REAUTHENTICATED_AFTER_MS = 4_000

/** The filter for watched events. It has no times, because only new events are watched. */
export type AuditWatchFilter = Pick<AuditFilter, 'types' | 'clientId' | 'userId' | 'rayId'>

export interface AuditWatchRequest {
  /** As the caller sent it. Empty: from now on. */
  readonly cursor: string
  readonly filter: AuditWatchFilter
}

/** An item of a watch stream. */
export interface WatchedEvent {
  /** `null`: no event up to the cursor matches the filter. */
  readonly event: AuditEvent | null
  readonly cursor: string
}

export interface AuditWatchesOptions {
  readonly feed: AuditFeed
  readonly quota: WaitingQuota
  readonly keyring: Keyring
  readonly now: () => EpochMs
  /** A monotonic clock in milliseconds. */
  readonly monotonic: () => number
  /** Aborted when the server is asked to stop. */
  readonly stopping: AbortSignal
}

/** Sends newly committed audit events to watchers. */
export class AuditWatches {
  readonly #options: AuditWatchesOptions

  constructor(options: AuditWatchesOptions) {
    this.#options = options
  }

  /** The number of watches open in this process. */
  get open(): number {
    return this.#options.quota.waiting
  }

  /** Runs until the caller leaves, loses access, or must connect elsewhere. A refusal is the last item. */
  async *watch(ctx: CallContext, request: AuditWatchRequest): AsyncGenerator<Result<WatchedEvent>, void, void> {
    const { quota } = this.#options
    const entered = quota.enter(ctx)
    if (!entered.ok) {
      yield entered
      return
    }
    try {
      yield* new AuditWatch(this.#options, ctx, request.filter).run(request.cursor)
    } catch (error) {
      yield refusalForStoreError(error, ctx, true)
    } finally {
      quota.leave(ctx)
    }
  }
}

/** One stream. It holds at most one page of events, and reads the next one when the caller has consumed it. */
class AuditWatch {
  readonly #options: AuditWatchesOptions
  readonly #ctx: CallContext
  readonly #filter: AuditWatchFilter
  readonly #leaving: AbortSignal
  #toldAt: number
  #authenticatedAt: number
  /** The reason why it ends. */
  #ending: FailedResult | null = null

  constructor(options: AuditWatchesOptions, ctx: CallContext, filter: AuditWatchFilter) {
    const { stopping, monotonic } = options
    const { connectionEnds } = ctx
    this.#options = options
    this.#ctx = ctx
    this.#filter = filter
    this.#leaving = connectionEnds === undefined ? stopping : AbortSignal.any([stopping, connectionEnds])
    this.#toldAt = monotonic()
    this.#authenticatedAt = monotonic()
  }

  async *run(cursor: string): AsyncGenerator<Result<WatchedEvent>, void, void> {
    const { feed, keyring } = this.#options
    const start = cursor === '' ? await feed.end() : openAuditCursor(keyring, cursor)
    if (start === null) {
      yield unknownCursor()
      return
    }
    let position = start
    yield this.#tell(position)
    let reading = await feed.readFrom(position)
    while (!this.#ctx.signal.aborted) {
      if (reading.isOfAnotherLog(position)) {
        yield unknownCursor()
        return
      }
      const isNews = reading.isNewsFor(position)
      if (isNews) position = yield* this.#tellAll(reading, position)
      else position = positionBehind(position, reading.heads)
      const refusal = await this.#whyEnded()
      if (refusal !== null) {
        yield refusal
        return
      }
      if (this.#isSilent) yield this.#tell(position)
      // A watcher that got events may be behind still. Any other waits with the rest.
      reading = isNews ? await feed.readFrom(position) : await this.#wait(position)
    }
  }

  /**
   * Sends the events that a query found after a position, and returns the next position. Pages without matching events
   * count too.
   */
  async *#tellAll(
    reading: AuditReading,
    from: AuditPosition,
  ): AsyncGenerator<Result<WatchedEvent>, AuditPosition, void> {
    const ctx = backgroundContext(this.#ctx.rayId, this.#ctx.log)
    let position = from
    for (;;) {
      if (this.#ctx.signal.aborted || (await this.#whyEnded()) !== null) return position
      if (this.#isSilent) yield this.#tell(position)
      const page: AuditPage = await reading.page(ctx, position)
      for (const [index, event] of page.events.entries()) {
        if (!matches(event, this.#filter)) continue
        if ((await this.#whyEnded()) !== null) return position
        const told = page.cursorAfter(index, (place) => sealAuditCursor(this.#options.keyring, place) ?? '')
        yield this.#told(event, told)
      }
      position = page.position
      if (!page.more) return position
    }
  }

  get #isSilent(): boolean {
    return this.#options.monotonic() - this.#toldAt >= HEARTBEAT_MS
  }

  #wait(position: AuditPosition): Promise<AuditReading> {
    const until = this.#options.monotonic() + REAUTHENTICATED_AFTER_MS
    return this.#options.feed.wait(position, { until, signal: this.#ctx.signal, leaving: this.#leaving })
  }

  /** The reason why the stream ends now. `null`: it continues. */
  async #whyEnded(): Promise<FailedResult | null> {
    if (this.#leaving.aborted) return fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
    const { now, monotonic } = this.#options
    if (this.#ending !== null || monotonic() - this.#authenticatedAt < REAUTHENTICATED_AFTER_MS) return this.#ending
    const caller = await this.#ctx.reauthenticate(now())
    this.#authenticatedAt = monotonic()
    this.#ending = caller.ok ? null : caller
    return this.#ending
  }

  #tell(position: AuditPosition): Result<WatchedEvent> {
    return this.#told(null, sealAuditCursor(this.#options.keyring, position) ?? '')
  }

  #told(event: AuditEvent | null, cursor: string): Result<WatchedEvent> {
    if (cursor === '') {
      const { log, rayId } = this.#ctx
      log.error(
        { rayId, longest: MAX_AUDIT_CURSOR_LENGTH },
        'the audit log has more growing chains than a cursor can hold',
      )
      return fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
    }
    this.#toldAt = this.#options.monotonic()
    return success({ event, cursor })
  }
}

function matches(event: AuditEvent, { types, clientId, userId, rayId }: AuditWatchFilter): boolean {
  return (
    (types.length === 0 || types.includes(event.type)) &&
    (clientId === null || event.clientId === clientId) &&
    (userId === null || event.userId === userId) &&
    (rayId === null || event.rayId === rayId)
  )
}

/** Events of this cursor may be missing here, so continuing could leave a gap. */
function unknownCursor(): FailedResult {
  return invalidRequest(
    'cursor',
    'was not issued for the current state of this database: start without a cursor, and list the missed events by time',
  )
}
