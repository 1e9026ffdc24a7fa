import { setTimeout as sleep } from 'node:timers/promises'
import { type CallContext, reauthenticatedAt } from '../../context.ts'
import { jitter } from '../../crypto/random.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { WatchQuota } from '../../rate-limits/watch-quota.ts'
import { fail, RETRY_AFTER_MS, type Result, success } from '../../results.ts'
import type { IssuedTokens } from '../grants/issue-tokens.ts'
import type { FlowRunner } from '../runner.ts'
import { redeemDeviceCode, watchedDeviceState } from './redeem-device-code.ts'

/** The maximum delay until a decision on another instance is seen. */
const LOOK_EVERY_MS = 500
const HEARTBEAT_MS = 15_000

export type WatchEvent =
  | { readonly state: 'pending' }
  | { readonly state: 'approved'; readonly issued: IssuedTokens }
  | { readonly state: 'denied' }
  | { readonly state: 'expired' }

export interface WatchOptions {
  readonly runner: FlowRunner
  /** Each look-up is evaluated at its own time. */
  readonly now: () => EpochMs
  /** Aborted when the server is asked to stop. */
  readonly stopping: AbortSignal
  /** The watches under way in this process. */
  readonly watches: WatchQuota
}

/**
 * Waits for the decision on a device authorization (RFC 8628 §3.4 without polling). It yields PENDING at once and as a
 * heartbeat, then the decision, and ends. Between look-ups it sleeps and holds no database resources. A server that
 * stops, or a connection that must close, ends it before a redemption, never between the redemption and its delivery.
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
    // The client may have been changed, or its secret rotated, since it authenticated.
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
    // A heartbeat is also due if the clock was set back.
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

/** Randomized, so that many watchers do not query at the same time. */
async function pause(ended: AbortSignal): Promise<void> {
  try {
    await sleep(LOOK_EVERY_MS * (0.5 + jitter() / 2), undefined, { signal: ended })
  } catch (error) {
    if (!ended.aborted) throw error
  }
}
