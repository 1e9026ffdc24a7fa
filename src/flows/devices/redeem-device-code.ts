import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { Client } from '../../domain/client.ts'
import { type DeviceAuthorizationStatus, deviceStateOf } from '../../domain/device-authorization.ts'
import { type GrantStatus, isGrantActive } from '../../domain/grant.ts'
import { type EpochMs, milliseconds } from '../../domain/ids.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, type Decision, given, LOST_RACE, postcondition, type Refusal } from '../condition.ts'
import { signerIsReady, tokenIsNotTooLong } from '../conditions/access-token-format.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { deviceCodeIsOwn, type OwnDevice, type PresentedDeviceCode } from '../conditions/device-code.ts'
import { grantStillReaches } from '../conditions/grant.ts'
import type { FlowContext } from '../context.ts'
import { defineFlow, oneToken } from '../flow.ts'
import { type IssuedTokens, issueFamilyTokens } from '../grants/issue-tokens.ts'
import { enforceFamilyLimits, lockFamily, storeFamilyTokens } from '../grants/store-family-tokens.ts'

/** RFC 8628 §3.5: by this much the interval grows, for this and all later polls. */
const SLOW_DOWN_MS = 5_000

/** RFC 8628 §3.5: the state is judged before the pace; only a pending code can be polled too fast. */
const deviceIsApproved = condition<OwnDevice>('deviceIsApproved', (ctx, { device, state }): Decision<object> => {
  switch (state) {
    case 'approved':
      return HOLDS
    case 'pending':
      return refusePending(ctx, device)
    case 'denied':
      return fail('oauth.device.access_denied')
    case 'expired':
      return fail('oauth.device.expired_token')
    case 'redeemed':
      return fail('oauth.invalid_grant')
    default:
      return state satisfies never
  }
})

/**
 * The poll is noted before it is answered, with the row taken: of parallel polls
 * one is in time, the others are too fast. A flood of them is answered without
 * being written: that must not cost the other callers their place.
 */
function refusePending(ctx: FlowContext, device: DeviceAuthorizationStatus): Refusal {
  const { deviceAuthorizationId, deviceCodeHash, pollInterval, expiresAt } = device.authorization
  const isOutrun = ctx.now + pollInterval >= expiresAt
  const pace = judgePace(device, ctx.now)
  if (pace.isTooFast && (isOutrun || !ctx.services.limits.devicePolls.take(deviceAuthorizationId, ctx.now))) {
    return pace.refusal
  }
  return {
    ...fail('oauth.device.authorization_pending', { retryAfterMs: pollInterval }),
    effect: async (inside) => {
      const { deviceAuthorizations } = inside.stores
      if (!(await deviceAuthorizations.lock(deviceAuthorizationId))) return LOST_RACE
      const held = await deviceAuthorizations.findByDeviceCode(inside, deviceCodeHash)
      if (held === null) return LOST_RACE
      const { refusal, interval } = judgePace(held, ctx.now)
      await deviceAuthorizations.notePoll(deviceAuthorizationId, { at: ctx.now, interval })
      return refusal
    },
  }
}

/** RFC 8628 §3.5: the first poll is never too fast; one before the interval is over lets it grow for good. */
function judgePace({ authorization: { lastPolledAt, pollInterval } }: DeviceAuthorizationStatus, now: EpochMs) {
  // A poll that lies further ahead than an interval was noted before the clock was put back.
  const since = lastPolledAt === null ? null : now - lastPolledAt
  if (since === null || since >= pollInterval || since < -pollInterval) {
    return {
      isTooFast: false,
      interval: pollInterval,
      refusal: fail('oauth.device.authorization_pending', { retryAfterMs: pollInterval }),
    }
  }
  const interval = milliseconds(pollInterval + SLOW_DOWN_MS)
  return { isTooFast: true, interval, refusal: fail('oauth.device.slow_down', { retryAfterMs: interval }) }
}

/** The consent still stands: it was not revoked, and nobody was shut out since. */
const consentStands = condition<OwnDevice, { readonly standing: GrantStatus }>(
  'consentStands',
  async (ctx, { device }) => {
    const { grantId } = device.authorization
    const standing = grantId === null ? null : await ctx.stores.grants.find(ctx, grantId)
    return standing !== null && isGrantActive(standing, ctx.now) ? success({ standing }) : fail('oauth.invalid_grant')
  },
)

type Redeemed = OwnDevice & { readonly client: Client; readonly issued: IssuedTokens }

/** One redemption: of any number of parallel ones, the others are judged anew and find it redeemed. */
const codeIsRedeemedOnce = postcondition<Redeemed, TransactionStores>('codeIsRedeemedOnce', async (ctx, facts) => {
  const { client, device, issued } = facts
  const change = { at: ctx.now, by: actorOf(ctx) }
  if (!(await lockFamily(ctx, client, issued, true))) return LOST_RACE
  const { deviceAuthorizationId } = device.authorization
  if (!(await ctx.stores.deviceAuthorizations.redeem(deviceAuthorizationId, change))) return LOST_RACE
  await storeFamilyTokens(ctx, client, issued, 'token.issued')
  await enforceFamilyLimits(ctx, client, issued)
  const { clientId, userId, grantId, tokenId } = issued.token
  await ctx.stores.auditLog.append(auditEvent(ctx, 'device.redeemed', { clientId, userId, grantId, tokenId }))
  return HOLDS
})

/** RFC 8628 §3.4: the device polls, and redeems its code once the user has agreed. */
export const redeemDeviceCode = defineFlow({
  name: 'redeemDeviceCode',
  lane: 'transaction',
  issues: oneToken('device_code'),
  preconditions: given<PresentedDeviceCode>()
    .and(callerIsClient)
    .and(grantIsAllowed('device_code'))
    .and(deviceCodeIsOwn)
    .and(deviceIsApproved)
    .and(consentStands)
    .and(grantStillReaches)
    .and(signerIsReady)
    .and(tokenIsNotTooLong(({ reach }) => reach)),
  run: (ctx, { client, signer, reach, standing: { grant } }) =>
    issueFamilyTokens(ctx, { client, signer, grant, ...reach }),
  postconditions: [codeIsRedeemedOnce],
})

/** How far the client's own device authorization has come; not a poll. */
export const watchedDeviceState = defineFlow({
  name: 'watchedDeviceState',
  lane: 'read',
  preconditions: given<PresentedDeviceCode>()
    .and(callerIsClient)
    .and(grantIsAllowed('device_code'))
    .and(deviceCodeIsOwn),
  run: (ctx, { device }) => deviceStateOf(device, ctx.now),
  postconditions: [],
})
