import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { drawToken, hashToken } from '../../crypto/token.ts'
import { drawUserCode, formatUserCode } from '../../crypto/user-code.ts'
import type { Client } from '../../domain/client.ts'
import type { DeviceAuthorization } from '../../domain/device-authorization.ts'
import { expiryAfter } from '../../domain/expiry.ts'
import { deviceAuthorizationId, type RawToken, type TokenHash } from '../../domain/ids.ts'
import { peerKey } from '../../domain/peer-key.ts'
import { fail, HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { given, LOST_RACE, postcondition } from '../condition.ts'
import { callerIsClient, grantIsAllowed } from '../conditions/caller.ts'
import { evaluatePendingDevices, PENDING_RETRY_AFTER_MS } from '../conditions/pending-devices.ts'
import type { TokenRequest } from '../conditions/request.ts'
import { defineFlow, reservation } from '../flow.ts'
import { consentConditions } from '../grants/consent.ts'

/** The codes for the device, available only now. */
export interface StartedDeviceAuthorization {
  readonly authorization: DeviceAuthorization
  readonly deviceCode: RawToken
  /** In the displayed form, such as `BCDF-GHJK`. */
  readonly userCode: string
  /** The maximum number of pending authorizations of its client, this one included. */
  readonly mostPending: number
}

type Issued = { readonly issued: StartedDeviceAuthorization }

type ForClient = { readonly client: Client }

/**
 * Any caller that knows a public client's id can start authorizations for it, so the rate is limited by address. A
 * refused start counts as well, because it costs a look-up of the pending ones.
 */
const peerIsWithinItsRate = reservation<ForClient>({
  name: 'peerIsWithinItsRate',
  take: (ctx, { client }) => {
    if (client.type === 'confidential') return HOLDS
    const { publicDeviceStarts } = ctx.services.limits
    const peer = peerKey(ctx.peer)
    if (publicDeviceStarts.take(peer, ctx.now)) return HOLDS
    return fail('limit.exceeded', {
      quota: {
        subject: `peer:${peer}`,
        description: 'too many device authorizations started from this address',
      },
      retryAfterMs: Math.max(1, publicDeviceStarts.waitFor(peer, ctx.now)),
    })
  },
  release: null,
})

/** The number of pending authorizations is limited by address too. This one counts from now until it is decided. */
const peerIsWithinItsShare = reservation<ForClient>({
  name: 'peerIsWithinItsShare',
  take: async (ctx, { client: { type, clientId, config } }) => {
    if (type === 'confidential') return HOLDS
    const { publicDevices } = ctx.services.limits
    const expiresAt = expiryAfter(ctx.now, config.deviceCodeTtl)
    const lookUp = async (hash: TokenHash) =>
      (await ctx.stores.deviceAuthorizations.findByDeviceCode(ctx, hash))?.authorization ?? null
    if (await publicDevices.hold(ctx, clientId, expiresAt, lookUp)) return HOLDS
    const description = `a client may have at most ${publicDevices.most} pending device authorizations from one address`
    return fail('limit.exceeded', {
      quota: { subject: `peer:${peerKey(ctx.peer)}`, description },
      retryAfterMs: PENDING_RETRY_AFTER_MS,
    })
  },
  release: (ctx, { client }) => {
    if (client.type === 'public') ctx.services.limits.publicDevices.release(ctx, client.clientId)
  },
})

/**
 * RFC 8628 §5.1: a small number of pending codes makes guessing infeasible. They are counted under a lock of the
 * client's row, so the cap holds.
 */
const pendingOnesAreFew = postcondition<ForClient & Issued, TransactionStores>(
  'pendingOnesAreFew',
  async (ctx, { client: { clientId }, issued: { mostPending } }) =>
    (await ctx.stores.clients.lock(clientId)) ? await evaluatePendingDevices(ctx, clientId, mostPending) : LOST_RACE,
)

const authorizationIsStored = postcondition<Issued, TransactionStores>(
  'authorizationIsStored',
  async (ctx, { issued: { authorization } }) => {
    // Another pending authorization has this user code. The flow generates a new one.
    if (!(await ctx.stores.deviceAuthorizations.insert(authorization))) return LOST_RACE
    const { clientId, scopes } = authorization
    const metadata = { scopes: scopes.join(' ') }
    await ctx.stores.auditLog.append(auditEvent(ctx, 'device.started', { clientId, metadata }))
    return HOLDS
  },
)

/** RFC 8628 §3.1: a device requests a user code and a device code. */
export const startDeviceAuthorization = defineFlow({
  name: 'startDeviceAuthorization',
  lane: 'transaction',
  preconditions: given<Pick<TokenRequest, 'requestedScopes' | 'requestedAudiences'>>()
    .and(callerIsClient)
    .and(grantIsAllowed('device_code'))
    .followedBy(consentConditions),
  reserve: [peerIsWithinItsRate, peerIsWithinItsShare],
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
    const { pendingDeviceAuthorizations: mostPending } = ctx.services.limits
    return { authorization, deviceCode, userCode: formatUserCode(userCode), mostPending }
  },
  postconditions: [pendingOnesAreFew, authorizationIsStored],
  afterCommit: (ctx, { client: { clientId, type }, issued: { authorization } }) => {
    if (type === 'confidential') return
    const { deviceCodeHash: hash, expiresAt } = authorization
    ctx.services.limits.publicDevices.settle(ctx, clientId, { hash, expiresAt })
  },
})
