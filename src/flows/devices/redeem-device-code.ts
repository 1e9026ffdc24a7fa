import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import { hashToken, readToken } from '../../crypto/token.ts'
import type { Client } from '../../domain/client.ts'
import { type DeviceAuthorizationStatus, type DeviceState, deviceStateOf } from '../../domain/device-authorization.ts'
import { type GrantStatus, isGrantActive } from '../../domain/grant.ts'
import { type EpochMs, milliseconds } from '../../domain/ids.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, type Decision, given, LOST_RACE, postcondition, type Refusal } from '../condition.ts'
import { tokenIsNotTooLong } from '../conditions/access-token-length.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { audiencesAreWithinGrant, grantStillReaches, type NarrowedTarget } from '../conditions/grant.ts'
import { identityHasOneAudience } from '../conditions/identity-token.ts'
import { signerIsReady } from '../conditions/signing-key.ts'
import type { FlowContext } from '../context.ts'
import { defineFlow, oneToken, query } from '../flow.ts'
import { type IssuedTokens, issueFamilyTokens } from '../grants/issue-tokens.ts'
import { enforceFamilyLimits, lockFamily, storeFamilyTokens } from '../grants/store-tokens.ts'

export interface PresentedDeviceCode {
  /** As the device presents it; any string. */
  readonly presentedCode: string
}

export interface OwnDevice {
  readonly device: DeviceAuthorizationStatus
  readonly state: DeviceState
}

/** RFC 8628 §3.4: the device code exists and was issued to this client. */
const deviceCodeIsOwn = condition<PresentedDeviceCode & { readonly client: Client }, OwnDevice>(
  'deviceCodeIsOwn',
  async (ctx, { presentedCode, client }) => {
    const read = readToken(presentedCode)
    if (read?.kind !== 'device_code') return fail('oauth.invalid_grant')
    const device = await ctx.stores.deviceAuthorizations.findByDeviceCode(ctx, hashToken(read.token))
    if (device?.authorization.clientId !== client.clientId) return fail('oauth.invalid_grant')
    return success({ device, state: deviceStateOf(device, ctx.now) })
  },
)

/** RFC 8628 §3.5: the interval grows by this amount, for this and all later polls. */
const SLOW_DOWN_MS = 5_000

/** RFC 8628 §3.5: the state is evaluated before the polling rate. Only a pending code can be polled too fast. */
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
 * The poll is recorded under a row lock before it is answered. Of parallel polls one is in time, and the others are too
 * fast. Polls beyond the rate limit are answered without a write, so that they do not delay other callers.
 */
function refusePending(ctx: FlowContext, device: DeviceAuthorizationStatus): Refusal {
  const { deviceAuthorizationId, deviceCodeHash, pollInterval, expiresAt } = device.authorization
  const isOutrun = ctx.now + pollInterval >= expiresAt
  const pace = evaluatePace(device, ctx.now)
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
      const { refusal, interval } = evaluatePace(held, ctx.now)
      await deviceAuthorizations.notePoll(deviceAuthorizationId, { at: ctx.now, interval })
      return refusal
    },
  }
}

/** RFC 8628 §3.5: the first poll is never too fast. A poll before the interval has passed increases it permanently. */
function evaluatePace({ authorization: { lastPolledAt, pollInterval } }: DeviceAuthorizationStatus, now: EpochMs) {
  // A poll recorded more than an interval in the future dates from before the clock was set back.
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

/** The consent is still valid: it was not revoked, and neither client nor user was disabled since. */
const consentStands = condition<OwnDevice, { readonly status: GrantStatus }>(
  'consentStands',
  async (ctx, { device }) => {
    const { grantId } = device.authorization
    const status = grantId === null ? null : await ctx.stores.grants.find(ctx, grantId)
    return status !== null && isGrantActive(status, ctx.now) ? success({ status }) : fail('oauth.invalid_grant')
  },
)

type Redeemed = OwnDevice & { readonly client: Client; readonly issued: IssuedTokens }

/**
 * Exactly one of any number of parallel redemptions succeeds. The others are evaluated again and find the code
 * redeemed.
 */
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

/** RFC 8628 §3.4: the device polls, and redeems its code after the user has consented. */
export const redeemDeviceCode = defineFlow({
  name: 'redeemDeviceCode',
  lane: 'transaction',
  issues: oneToken('device_code'),
  preconditions: given<PresentedDeviceCode & NarrowedTarget>()
    .and(callerIsClient)
    .and(grantIsAllowed('device_code'))
    .and(deviceCodeIsOwn)
    .and(deviceIsApproved)
    .and(consentStands)
    .and(grantStillReaches)
    .and(audiencesAreWithinGrant)
    .and(identityHasOneAudience)
    .and(signerIsReady)
    .and(tokenIsNotTooLong(({ effective: { scopes }, audiences }) => ({ scopes, audiences }))),
  run: (ctx, { client, signer, effective: { scopes }, audiences, status: { grant } }) =>
    issueFamilyTokens(ctx, { client, signer, grant, scopes, audiences }),
  postconditions: [codeIsRedeemedOnce],
})

/** The state of the client's own device authorization. It does not count as a poll. */
export const watchedDeviceState = query({
  name: 'watchedDeviceState',
  preconditions: given<PresentedDeviceCode>()
    .and(callerIsClient)
    .and(grantIsAllowed('device_code'))
    .and(deviceCodeIsOwn),
  answer: (_ctx, { state }): DeviceState => state,
})
