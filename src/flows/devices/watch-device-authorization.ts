import { setTimeout as sleep } from 'node:timers/promises'
import { type CallContext, reauthenticatedAt } from '../../context.ts'
import { jitter } from '../../crypto/random.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { WatchQuota } from '../../rate-limits/watch-quota.ts'
import { fail, RETRY_AFTER_MS, type Result, success } from '../../results.ts'
import type { IssuedTokens } from '../grants/issue-tokens.ts'
import type { FlowRunner } from '../runner.ts'
import { redeemDeviceCode, watchedDeviceState } from './redeem-device-code.ts'

/** A decision made on another instance is seen after this long at the most. */
const LOOK_EVERY_MS = 500
const HEARTBEAT_MS = 15_000

export type WatchEvent =
  | { readonly state: 'pending' }
  | { readonly state: 'approved'; readonly issued: IssuedTokens }
  | { readonly state: 'denied' }
  | { readonly state: 'expired' }

export interface WatchOptions {
  readonly runner: FlowRunner
  /** Each look is evaluated at its own moment. */
  readonly now: () => EpochMs
  /** Aborted when the server is asked to stop. */
  readonly stopping: AbortSignal
  /** The watches under way in this process. */
  readonly watches: WatchQuota
}

/**
 * Waits for a device authorization's decision (RFC 8628 §3.4 without the
 * polling): PENDING at once and as a heartbeat, then the decision, and the end.
 * It sleeps between looks and holds nothing of the database meanwhile. A server
 * that stops, or a connection that is asked to go, ends it before a redemption,
 * never between that and its delivery.
 */
export async function* watchDeviceAuthorization(
  ctx: CallContext,
  presentedCode: string,
  options: WatchOptions,
): AsyncGenerator<Result<WatchEvent>, void, void> {
  const entered = options.watches.enter(ctx, presentedCode)
  if (!entered.ok) {
    yield entered
    return
  }
  try {
    yield* watch(ctx, presentedCode, options)
  } finally {
    options.watches.leave(ctx, presentedCode)
  }
}

async function* watch(
  ctx: CallContext,
  presentedCode: string,
  { runner, now, stopping }: WatchOptions,
): AsyncGenerator<Result<WatchEvent>, void, void> {
  const { connectionEnds } = ctx
  const leaving = connectionEnds === undefined ? stopping : AbortSignal.any([stopping, connectionEnds])
  const ended = AbortSignal.any([ctx.signal, leaving])
  let beatAt = Number.NEGATIVE_INFINITY
  while (!ctx.signal.aborted) {
    if (leaving.aborted) {
      yield fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
      return
    }
    const moment = now()
    // The client may have been changed, or its secret rotated, since it was proved.
    const caller = await ctx.reauthenticate(moment)
    if (!caller.ok) {
      yield caller
      return
    }
    const look = reauthenticatedAt(ctx, moment, caller.value)
    const event = await lookOnce(runner, look, presentedCode)
    if (!event.ok || event.value.state !== 'pending') {
      yield event
      return
    }
    // A clock that was put back owes a beat as well.
    if (Math.abs(look.now - beatAt) >= HEARTBEAT_MS) {
      beatAt = look.now
      yield event
    }
    await pause(ended)
  }
}

async function lookOnce(runner: FlowRunner, ctx: CallContext, presentedCode: string): Promise<Result<WatchEvent>> {
  const state = await runner.query(watchedDeviceState, ctx, { presentedCode })
  if (!state.ok) return state
  switch (state.value) {
    case 'pending':
    case 'denied':
    case 'expired':
      return success({ state: state.value })
    case 'approved': {
      const redeemed = await runner.execute(redeemDeviceCode, ctx, { presentedCode, requestedAudiences: [] })
      return redeemed.ok ? success({ state: 'approved', issued: redeemed.value }) : redeemed
    }
    case 'redeemed':
      return fail('oauth.invalid_grant')
    default:
      return state.value satisfies never
  }
}

/** Spread out, so that many watchers do not look together. */
async function pause(ended: AbortSignal): Promise<void> {
  try {
    await sleep(LOOK_EVERY_MS * (0.5 + jitter() / 2), undefined, { signal: ended })
  } catch (error) {
    if (!ended.aborted) throw error
  }
}
