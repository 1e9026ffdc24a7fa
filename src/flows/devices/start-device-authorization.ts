import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { drawToken, hashToken } from '../../crypto/token.ts'
import { drawUserCode, formatUserCode } from '../../crypto/user-code.ts'
import type { Client } from '../../domain/client.ts'
import type { DeviceAuthorization } from '../../domain/device-authorization.ts'
import { expiryAfter } from '../../domain/expiry.ts'
import { deviceAuthorizationId, type RawToken } from '../../domain/ids.ts'
import { peerKey } from '../../domain/peer-key.ts'
import { fail, HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { tokenIsNotTooLong } from '../conditions/access-token-format.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { audiencesAreAllowed, delegatedScopesAreAllowed, type TokenRequest } from '../conditions/request.ts'
import type { FlowContext } from '../context.ts'
import { defineFlow } from '../flow.ts'

const RETRY_AFTER_MS = 60_000

/** What the device shows and keeps, this once. */
export interface StartedDeviceAuthorization {
  readonly authorization: DeviceAuthorization
  readonly deviceCode: RawToken
  /** As it is shown, such as `BCDF-GHJK`. */
  readonly userCode: string
}

/** Whoever can name a public client can start authorizations for it, so each address gets its share only. */
const peerIsWithinItsShare = condition<{ readonly client: Client }>('peerIsWithinItsShare', async (ctx, { client }) => {
  if (client.type === 'confidential') return HOLDS
  const { publicDeviceStarts, publicDevices } = ctx.services.limits
  const peer = peerKey(ctx.peer)
  if (!publicDeviceStarts.take(peer, ctx.now)) {
    return fail('limit.exceeded', {
      quota: {
        subject: `peer:${peer}`,
        description: 'too many device authorizations were started from this address',
      },
      retryAfterMs: Math.max(1, publicDeviceStarts.waitFor(peer, ctx.now)),
    })
  }
  if (publicDevices.isFull(ctx, client.clientId))
    await publicDevices.review(ctx, client.clientId, ctx.stores.deviceAuthorizations)
  return publicDevices.isFull(ctx, client.clientId) ? shareIsUsedUp(ctx) : HOLDS
})

function shareIsUsedUp(ctx: FlowContext<unknown>) {
  const description = `at most ${ctx.services.limits.publicDevices.most} device authorizations of one client are pending at once from this address`
  return fail('limit.exceeded', {
    quota: { subject: `peer:${peerKey(ctx.peer)}`, description },
    retryAfterMs: RETRY_AFTER_MS,
  })
}

/** RFC 8628 §5.1: few pending codes make guessing one hopeless. Counted with the client's row taken, so the cap holds. */
const pendingOnesAreFew = postcondition<{ readonly client: Client }, TransactionStores>(
  'pendingOnesAreFew',
  async (ctx, { client: { clientId, type } }) => {
    const { pendingDeviceAuthorizations: most, publicDevices } = ctx.services.limits
    if (!(await ctx.stores.clients.lock(clientId))) return LOST_RACE
    if (type === 'public' && publicDevices.isFull(ctx, clientId)) return shareIsUsedUp(ctx)
    if ((await ctx.stores.deviceAuthorizations.countPending(ctx, clientId)) < most) return HOLDS
    return fail('limit.exceeded', {
      quota: {
        subject: `client:${clientId}`,
        description: `at most ${most} device authorizations are pending at once`,
      },
      retryAfterMs: RETRY_AFTER_MS,
    })
  },
)

const authorizationIsStored = postcondition<
  { readonly client: Client; readonly issued: StartedDeviceAuthorization },
  TransactionStores
>('authorizationIsStored', async (ctx, { client, issued: { authorization } }) => {
  // Another pending one has this user code: the flow draws anew.
  if (!(await ctx.stores.deviceAuthorizations.insert(authorization))) return LOST_RACE
  const { clientId, scopes } = authorization
  const metadata = { scopes: scopes.join(' ') }
  await ctx.stores.auditLog.append(auditEvent(ctx, 'device.started', { clientId, metadata }))
  if (client.type === 'public') {
    const { deviceCodeHash: hash, expiresAt } = authorization
    ctx.services.limits.publicDevices.add(ctx, clientId, { hash, expiresAt })
  }
  return HOLDS
})

/** RFC 8628 §3.1: a device asks for a code to show and a code to keep. */
export const startDeviceAuthorization = defineFlow({
  name: 'startDeviceAuthorization',
  lane: 'transaction',
  preconditions: given<Pick<TokenRequest, 'requestedScopes' | 'requestedAudiences'>>()
    .and(callerIsClient)
    .and(grantIsAllowed('device_code'))
    .and(delegatedScopesAreAllowed)
    .and(audiencesAreAllowed)
    .and(tokenIsNotTooLong((content) => content))
    .and(peerIsWithinItsShare),
  run: (ctx, { client, scopes, audiences }): StartedDeviceAuthorization => {
    const deviceCode = drawToken('device_code')
    const userCode = drawUserCode()
    const hashed = ctx.services.keyring.hashUserCode(userCode)
    const authorization: DeviceAuthorization = Object.freeze({
      deviceAuthorizationId: deviceAuthorizationId(uuidV7()),
      deviceCodeHash: hashToken(deviceCode),
      userCodeHash: hashed.hash,
      userCodeKeyId: hashed.keyId,
      clientId: client.clientId,
      scopes,
      audiences,
      clientGeneration: client.tokenGeneration,
      decision: 'pending',
      pollInterval: client.config.devicePollInterval,
      lastPolledAt: null,
      grantId: null,
      createdAt: ctx.now,
      createdBy: actorOf(ctx),
      expiresAt: expiryAfter(ctx.now, client.config.deviceCodeTtl),
      rayId: ctx.rayId,
    })
    return { authorization, deviceCode, userCode: formatUserCode(userCode) }
  },
  postconditions: [pendingOnesAreFew, authorizationIsStored],
})
