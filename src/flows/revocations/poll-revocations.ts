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
    /** As the caller brought it; any text. */
    | { readonly cursor: string }
  /** How long the caller lets the call wait, in milliseconds. */
  readonly waitMs: number
  /** At most `MAX_PAGE_SIZE`. */
  readonly pageSize: number
}

export interface PolledRevocations {
  /** Shared with others who are told the same. */
  readonly page: RevocationPage
  readonly nextCursor: string
  /** The caller's cursor could not be followed; the page is the first of the history. */
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
  /** That of the feed. */
  readonly monotonic: () => number
}

/**
 * By the database's clock. What was written since a cursor was made is kept for twice as
 * long at least, so a clock that is put by as much hides nothing.
 */
const CURSOR_LIFETIME_MS = REVOCATION_KEPT / 2
/** A page that is not the last promises nothing, so a query that is not older than this will do for it. */
const RECENT_MS = 10_000
/** A caller who waited longer is authenticated again before it is answered. */
const REAUTHENTICATED_AFTER_MS = 1_000
/** The answer to a call with a deadline is to reach its caller before that. */
const BEFORE_DEADLINE_MS = 250

/** RFC 7662 §2.1: whoever may check tokens may hear which ones to check again. */
const revocationsViewer = query({
  name: 'pollRevocations',
  preconditions: given<object>().and(callerMayCheckTokens),
  answer: (_ctx, { viewer }): Viewer => viewer,
})

/**
 * Answers who keeps what it verified and asks what ended since. A revocation says
 * nothing but its key, which only those can read who were shown a token with that key.
 * So all are told all. What differs is which tokens a caller may be shown: the cursor
 * is bound to that, and whoever may see less than before has to forget what it kept.
 */
export class RevocationPolls {
  readonly #options: RevocationPollsOptions

  constructor(options: RevocationPollsOptions) {
    this.#options = options
  }

  /** Waits until there is something to tell, or the request's time is over. */
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
    // Waiting takes nothing that others of this caller could use.
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
  /** `null`: the caller brought none, or one that cannot be followed. */
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

  /** A page of many needs no query of its own; `null`: this is the last one, or it is not known yet. */
  async fromRecentReading(): Promise<Result<PolledRevocations> | null> {
    const { feed, monotonic } = this.#options
    const { latest } = feed
    const { from, pageSize } = this.#request
    if (latest === null || monotonic() - latest.startedAt > RECENT_MS) return null
    if ('start' in from && from.start === 'now') return null
    // The cursor may be of an instance that looked later: only a query that is sent from now on knows better.
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

  /** When the wait is over, by the monotonic clock. Whoever brings no cursor waits for nothing. */
  #until(): number {
    if (this.#cursor === null) return this.#receivedAt
    const { deadline, now } = this.#ctx
    const waitMs =
      deadline === null ? this.#request.waitMs : Math.min(this.#request.waitMs, deadline - now - BEFORE_DEADLINE_MS)
    return this.#receivedAt + waitMs
  }

  /** Whether a cursor that was brought cannot be followed. */
  #isResetBy({ madeAt, now, heads }: RevocationHeads): boolean {
    if ('start' in this.#request.from) return false
    const cursor = this.#cursor
    if (cursor === null || cursor.database !== madeAt) return true
    return Math.abs(now - cursor.madeAt) > CURSOR_LIFETIME_MS || isUnknown(cursor.position, heads)
  }

  /** Who asks at this moment, and what they may see; a refusal if they may no longer call at all. */
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

/** Whoever is shown other tokens than before is another reader. */
function readerOf(viewer: Viewer): string {
  if (viewer.kind === 'everyone') return 'everyone'
  const { clientId, resourceAudiences } = viewer.client
  return JSON.stringify([clientId, resourceAudiences.toSorted()])
}
