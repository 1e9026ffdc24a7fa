import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import { readUserCode } from '../../crypto/user-code.ts'
import type { Client } from '../../domain/client.ts'
import { type DeviceAuthorizationStatus, type DeviceState, deviceStateOf } from '../../domain/device-authorization.ts'
import type { Grant } from '../../domain/grant.ts'
import { isSameSet } from '../../domain/scopes.ts'
import type { User } from '../../domain/user.ts'
import { fail, HOLDS, invalidRequest, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { tokenIsNotTooLong } from '../conditions/access-token-length.ts'
import { evaluateScopes } from '../conditions/request.ts'
import { type ReferredUser, userIsActive, userIsKnownOrNew } from '../conditions/user.ts'
import { defineFlow, query } from '../flow.ts'
import { draftGrant, storeConsent } from '../grants/consent.ts'

interface TypedUserCode {
  /** As the user typed it. */
  readonly typedCode: string
  /** Identifies the end user for the limit on wrong codes. `null`: the caller does not identify end users. */
  readonly attemptKey: string | null
}

export interface KnownDevice {
  readonly device: DeviceAuthorizationStatus
  readonly state: Exclude<DeviceState, 'expired'>
}

const RETRY_AFTER_MS = 60_000

/**
 * RFC 8628 §3.3, §5.1: the code belongs to an unexpired authorization. Wrong codes are limited. An attempt is not a
 * reservation: it counts before the look-up, so that parallel guesses cannot exceed the limit. An attempt that was
 * right, or could not be evaluated, is given back.
 */
const userCodeIsKnown = condition<TypedUserCode, KnownDevice>(
  'userCodeIsKnown',
  async (ctx, { typedCode, attemptKey }) => {
    const { keyring, limits } = ctx.services
    const code = readUserCode(typedCode)
    if (code === null) {
      return invalidRequest('user_code', 'must be eight letters, such as BCDF-GHJK')
    }
    if (!limits.userCodeAttempts.begin(ctx, attemptKey)) {
      return fail('limit.exceeded', {
        quota: { subject: `client:${actorOf(ctx)}`, description: 'too many wrong user codes' },
        retryAfterMs: RETRY_AFTER_MS,
      })
    }
    const lookUp = ctx.stores.deviceAuthorizations.findByUserCode(ctx, keyring.userCodeHashes(code))
    const device = await lookUp.catch((error: unknown) => {
      limits.userCodeAttempts.forgive(ctx, attemptKey)
      throw error
    })
    const state = device === null ? 'expired' : deviceStateOf(device, ctx.now)
    if (device === null || state === 'expired' || ctx.now >= device.authorization.expiresAt) {
      return fail('resource.not_found', {
        resource: { type: 'device_authorization', name: 'user_code' },
        because: 'user_code',
      })
    }
    limits.userCodeAttempts.forgive(ctx, attemptKey)
    return success({ device, state })
  },
)

/** RFC 8628 §3.3: what the verification page shows before the user decides. */
export const getDeviceAuthorization = query({
  name: 'getDeviceAuthorization',
  preconditions: given<TypedUserCode>().and(userCodeIsKnown),
  answer: (_ctx, { device, state }): KnownDevice => ({ device, state }),
})

interface Approval extends TypedUserCode, ReferredUser {
  /** A subset of the scopes that the device requested. Empty: all of them. */
  readonly requestedScopes: readonly string[]
}

type Decided = KnownDevice & { readonly user: User; readonly scopes: readonly string[] }

/**
 * RFC 8628 §3.3: there is one decision. The same decision again (by the same user, for the same scopes) succeeds, even
 * after the device has redeemed it. Any other decision is refused.
 */
const approvalIsOpenOrTheSame = condition<Decided>('approvalIsOpenOrTheSame', async (ctx, facts) => {
  const { state, device, user, scopes } = facts
  if (state === 'pending') return HOLDS
  const { grantId } = device.authorization
  const status = grantId === null ? null : await ctx.stores.grants.find(ctx, grantId)
  const isTheSame = status !== null && status.grant.userId === user.userId && isSameSet(status.grant.scopes, scopes)
  return isTheSame ? HOLDS : fail('resource.conflict', { because: 'decided' })
})

/** The user may consent to fewer scopes than the device requested. */
const scopesAreAmongThoseAsked = condition<Approval & KnownDevice, { readonly scopes: readonly string[] }>(
  'scopesAreAmongThoseAsked',
  (_ctx, { requestedScopes, device }) => {
    const { scopes } = device.authorization
    return requestedScopes.length === 0 ? success({ scopes }) : evaluateScopes(requestedScopes, scopes)
  },
)

const clientStands = condition<KnownDevice, { readonly client: Client }>('clientStands', async (ctx, { device }) => {
  const client = await ctx.stores.clients.find(ctx, device.authorization.clientId)
  return client === null
    ? fail('resource.not_found', {
        resource: { type: 'device_authorization', name: 'user_code' },
        because: 'user_code',
      })
    : success({ client })
})

type Approved = KnownDevice & { readonly user: User; readonly userIsNew: boolean; readonly issued: Grant }

/** Of parallel decisions one counts. The others are evaluated again. */
const approvalIsFirst = postcondition<Approved, TransactionStores>('approvalIsFirst', async (ctx, facts) => {
  const { device, issued } = facts
  const { deviceAuthorizationId, clientId } = device.authorization
  const change = { at: ctx.now, by: actorOf(ctx) }
  if (!(await storeConsent(ctx, facts, issued))) return LOST_RACE
  if (!(await ctx.stores.deviceAuthorizations.approve(deviceAuthorizationId, issued.grantId, change))) return LOST_RACE
  const { userId, grantId } = issued
  await ctx.stores.auditLog.append(auditEvent(ctx, 'device.approved', { clientId, userId, grantId }))
  return HOLDS
})

/** RFC 8628 §3.3: the front end that owns login and consent reports that the user agreed. */
export const approveDeviceAuthorization = defineFlow({
  name: 'approveDeviceAuthorization',
  lane: 'transaction',
  preconditions: given<Approval>()
    .and(userCodeIsKnown)
    .and(scopesAreAmongThoseAsked)
    .and(clientStands)
    .and(userIsKnownOrNew)
    .and(userIsActive)
    .and(approvalIsOpenOrTheSame)
    .and(tokenIsNotTooLong(({ scopes, device }) => ({ scopes, audiences: device.authorization.audiences }))),
  run: (ctx, { client, user, scopes, device: { authorization } }): Grant =>
    draftGrant(ctx, { client, user, scopes, audiences: authorization.audiences }, authorization.expiresAt),
  skipWrite: (_ctx, { state }) => state !== 'pending',
  postconditions: [approvalIsFirst],
})

/** RFC 8628 §3.3: there is one decision. The same decision again succeeds; the opposite is refused. */
const denialIsOpenOrTheSame = condition<KnownDevice>('denialIsOpenOrTheSame', (_ctx, { state }) =>
  state === 'pending' || state === 'denied' ? HOLDS : fail('resource.conflict', { because: 'decided' }),
)

const denialIsFirst = postcondition<KnownDevice, TransactionStores>('denialIsFirst', async (ctx, { device }) => {
  const { deviceAuthorizationId, clientId } = device.authorization
  const change = { at: ctx.now, by: actorOf(ctx) }
  if (!(await ctx.stores.deviceAuthorizations.deny(deviceAuthorizationId, change))) return LOST_RACE
  await ctx.stores.auditLog.append(auditEvent(ctx, 'device.denied', { clientId }))
  return HOLDS
})

/** RFC 8628 §3.3: the front end reports that the user refused. */
export const denyDeviceAuthorization = defineFlow({
  name: 'denyDeviceAuthorization',
  lane: 'transaction',
  preconditions: given<TypedUserCode>().and(userCodeIsKnown).and(denialIsOpenOrTheSame),
  run: () => null,
  skipWrite: (_ctx, { state }) => state === 'denied',
  postconditions: [denialIsFirst],
})
