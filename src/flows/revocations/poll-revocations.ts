import { type CallContext, reauthenticatedAt } from '../../context.ts'
import type { Keyring } from '../../crypto/keyring.ts'
import { openRevocationCursor, type RevocationCursor, sealRevocationCursor } from '../../crypto/revocation-cursor.ts'
import type { EpochMs } from '../../domain/ids.ts'
import { REVOCATION_KEPT, type RevocationHeads } from '../../domain/revocation.ts'
import { beginning, isUnknown, positionAt } from '../../domain/revocation-position.ts'
import type { WaitingQuota } from '../../rate-limits/waiting-quota.ts'
import { fail, mapResult, RETRY_AFTER_MS, type Result, success } from '../../results.ts'
import { refusalForStoreError } from '../../store-failure.ts'
import { given } from '../condition.ts'
import { callerMayCheckTokens, type Viewer } from '../conditions/caller.ts'
import { query } from '../flow.ts'
import type { FlowRunner } from '../runner.ts'
import type { RevocationFeed } from './revocation-feed.ts'
import type { RevocationPage, RevocationReading } from './revocation-reading.ts'

export interface PollRequest {
  readonly from:
    | { readonly start: 'now' | 'history' }
    /** As the caller sent it; any text. */
    | { readonly cursor: string }
  /** The maximum time that the call may wait, in milliseconds. */
  readonly waitMs: number
  /** At most `MAX_PAGE_SIZE`. */
  readonly pageSize: number
}

export interface PolledRevocations {
  /** Shared with other callers that get the same page. */
  readonly page: RevocationPage
  readonly nextCursor: string
  /** The caller's cursor could not be used. The page is the first of the history. */
  readonly reset: boolean
  /** From the receipt of the call to the start of the query. */
  readonly coveredMs: number
}

export interface RevocationPollsOptions {
  readonly runner: FlowRunner
  readonly feed: RevocationFeed
  readonly quota: WaitingQuota
  readonly keyring: Keyring
  readonly now: () => EpochMs
  /** The same clock as the feed's. */
  readonly monotonic: () => number
}

/**
 * By the database's clock. Revocations after a cursor are kept at least twice as long, so setting the clock by this
 * much hides nothing.
 */
const CURSOR_LIFETIME_MS = REVOCATION_KEPT / 2
/** A page that is not the last gives no guarantee of completeness, so a query up to this age suffices for it. */
const RECENT_MS = 10_000
/** A caller that waited longer is authenticated again before it is answered. */
const REAUTHENTICATED_AFTER_MS = 1_000
/** The margin by which an answer precedes the call's deadline. */
const BEFORE_DEADLINE_MS = 250

/** RFC 7662 §2.1: callers that may check tokens may also poll for revocations. */
const revocationsViewer = query({
  name: 'pollRevocations',
  preconditions: given<object>().and(callerMayCheckTokens),
  answer: (_ctx, { viewer }): Viewer => viewer,
})

/**
 * Answers verifiers that cache tokens and ask for revocations. A revocation contains only a key, which is meaningful
 * only with a token that has that key. Therefore all callers get all revocations. Callers differ in the tokens that
 * they may see. The cursor is bound to that set, and a caller that may see less than before must clear its cache.
 */
export class RevocationPolls {
  readonly #options: RevocationPollsOptions

  constructor(options: RevocationPollsOptions) {
    this.#options = options
  }

  /** Waits until there are revocations, or the request's time is over. */
  async poll(ctx: CallContext, request: PollRequest): Promise<Result<PolledRevocations>> {
    const receivedAt = this.#options.monotonic()
    const viewer = await this.#options.runner.query(revocationsViewer, ctx, {})
    if (!viewer.ok) return viewer
    try {
      const poll = new Poll(this.#options, ctx, request, receivedAt, viewer.value)
      return (await poll.fromRecentReading()) ?? (await this.#wait(ctx, poll))
    } catch (error) {
      return refusalForStoreError(error, ctx, true)
    }
  }

  async #wait(ctx: CallContext, poll: Poll): Promise<Result<PolledRevocations>> {
    const { quota } = this.#options
    const entered = quota.enter(ctx)
    if (!entered.ok) return entered
    // A waiting call frees its place for other calls of this caller.
    ctx.leaveAdmission?.()
    try {
      return await poll.fromNextReading()
    } finally {
      quota.leave(ctx)
    }
  }
}

/** One call, from its receipt on. */
class Poll {
  readonly #options: RevocationPollsOptions
  readonly #ctx: CallContext
  readonly #request: PollRequest
  readonly #receivedAt: number
  #reader: string
  /** `null`: the caller sent none, or one that cannot be used. */
  readonly #cursor: RevocationCursor | null

  constructor(
    options: RevocationPollsOptions,
    ctx: CallContext,
    request: PollRequest,
    receivedAt: number,
    viewer: Viewer,
  ) {
    this.#options = options
    this.#ctx = ctx
    this.#request = request
    this.#receivedAt = receivedAt
    this.#reader = readerOf(viewer)
    this.#cursor =
      'cursor' in request.from ? openRevocationCursor(options.keyring, this.#reader, request.from.cursor) : null
  }

  /** A page that is not the last needs no query of its own. `null`: it is the last one, or that is unknown yet. */
  async fromRecentReading(): Promise<Result<PolledRevocations> | null> {
    const { feed, monotonic } = this.#options
    const { latest } = feed
    const { from, pageSize } = this.#request
    if (latest === null || monotonic() - latest.startedAt > RECENT_MS) return null
    if ('start' in from && from.start === 'now') return null
    // The cursor may come from an instance with a later query. Only a query sent from now on can decide.
    if (this.#isResetBy(latest.snapshot)) return null
    const page = await latest.page(this.#ctx, this.#cursor?.position ?? beginning(), pageSize)
    return page.more ? this.#answer(page, latest, false, 0) : null
  }

  async fromNextReading(): Promise<Result<PolledRevocations>> {
    const { feed } = this.#options
    const { signal, connectionEnds: leaving } = this.#ctx
    const reading = await feed.wait(this.#cursor, { until: this.#until(), signal, leaving })
    const coveredMs = reading.startedAt - this.#receivedAt
    const reader = coveredMs > REAUTHENTICATED_AFTER_MS ? await this.#readerNow() : success(this.#reader)
    if (!reader.ok) return reader
    const isChanged = reader.value !== this.#reader && 'cursor' in this.#request.from
    const isReset = isChanged || this.#isResetBy(reading.snapshot)
    this.#reader = reader.value
    return this.#answer(await this.#page(reading, isReset), reading, isReset, coveredMs)
  }

  async #page(reading: RevocationReading, isReset: boolean): Promise<RevocationPage> {
    const { from, pageSize } = this.#request
    if ('start' in from && from.start === 'now') {
      return { revocations: [], more: false, position: positionAt(reading.snapshot.heads) }
    }
    const position = isReset || this.#cursor === null ? beginning() : this.#cursor.position
    return await reading.page(this.#ctx, position, pageSize)
  }

  /** The end of the wait, by the monotonic clock. A call without a cursor does not wait. */
  #until(): number {
    if (this.#cursor === null) return this.#receivedAt
    const { deadline, now } = this.#ctx
    const waitMs =
      deadline === null ? this.#request.waitMs : Math.min(this.#request.waitMs, deadline - now - BEFORE_DEADLINE_MS)
    return this.#receivedAt + waitMs
  }

  /** Whether a cursor was sent that cannot be used. */
  #isResetBy({ madeAt, now, heads }: RevocationHeads): boolean {
    if ('start' in this.#request.from) return false
    const cursor = this.#cursor
    if (cursor === null || cursor.database !== madeAt) return true
    return Math.abs(now - cursor.madeAt) > CURSOR_LIFETIME_MS || isUnknown(cursor.position, heads)
  }

  /** The current caller and the tokens it may see. A refusal if it may no longer call. */
  async #readerNow(): Promise<Result<string>> {
    const { runner, now } = this.#options
    const moment = now()
    const caller = await this.#ctx.reauthenticate(moment)
    if (!caller.ok) return caller
    const later = reauthenticatedAt(this.#ctx, moment, caller.value)
    return mapResult(await runner.query(revocationsViewer, later, {}), readerOf)
  }

  #answer(
    page: RevocationPage,
    { snapshot: { madeAt: database, now, heads } }: RevocationReading,
    reset: boolean,
    coveredMs: number,
  ): Result<PolledRevocations> {
    const { keyring } = this.#options
    const cursor = { database, madeAt: now, position: page.position }
    const nextCursor = sealRevocationCursor(keyring, this.#reader, cursor)
    if (nextCursor !== null) return success({ page, nextCursor, reset, coveredMs })
    const { log, rayId } = this.#ctx
    log.error({ rayId, writers: heads.length }, 'more servers write revocations than a cursor can hold')
    return fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
  }
}

/** A caller that may see other tokens than before is a different reader. */
function readerOf(viewer: Viewer): string {
  if (viewer.kind === 'everyone') return 'everyone'
  const { clientId, resourceAudiences } = viewer.client
  return JSON.stringify([clientId, resourceAudiences.toSorted()])
}
