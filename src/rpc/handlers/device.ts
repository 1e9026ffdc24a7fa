import type { DeviceState } from '../../domain/device-authorization.ts'
import { timeLeft } from '../../domain/expiry.ts'
import {
  approveDeviceAuthorization,
  denyDeviceAuthorization,
  getDeviceAuthorization,
} from '../../flows/devices/decide-device-authorization.ts'
import { redeemDeviceCode } from '../../flows/devices/redeem-device-code.ts'
import { startDeviceAuthorization } from '../../flows/devices/start-device-authorization.ts'
import { type WatchOptions, watchDeviceAuthorization } from '../../flows/devices/watch-device-authorization.ts'
import { DeviceAuthorizationState, type DeviceService } from '../../gen/qscope/v1/device_service_pb.ts'
import { mapResult } from '../../results.ts'
import { toDuration, toTimestamp } from '../convert/time.ts'
import { toIssuedToken } from '../convert/token.ts'
import { fromUserReference } from '../convert/user.ts'
import type { ServiceHandlers } from '../routes.ts'

const STATES = {
  pending: DeviceAuthorizationState.PENDING,
  approved: DeviceAuthorizationState.APPROVED,
  denied: DeviceAuthorizationState.DENIED,
  expired: DeviceAuthorizationState.EXPIRED,
  redeemed: DeviceAuthorizationState.REDEEMED,
} as const satisfies Record<DeviceState, DeviceAuthorizationState>

export interface DeviceHandlerOptions extends WatchOptions {
  /** Where users type their codes. */
  readonly verificationUri: string
}

export function deviceHandlers(options: DeviceHandlerOptions): ServiceHandlers<typeof DeviceService> {
  const { runner } = options
  return {
    async startDeviceAuthorization(ctx, { scopes, audiences }) {
      const wishes = { requestedScopes: scopes, requestedAudiences: audiences }
      const started = await runner.execute(startDeviceAuthorization, ctx, wishes)
      return mapResult(started, ({ authorization, deviceCode, userCode }) => ({
        deviceCode,
        userCode,
        verificationUri: options.verificationUri,
        verificationUriComplete: withUserCode(options.verificationUri, userCode),
        expiresIn: toDuration(timeLeft(authorization.expiresAt, authorization.createdAt)),
        interval: toDuration(authorization.pollInterval),
      }))
    },
    async getDeviceAuthorization(ctx, { userCode, attemptKey = null }) {
      const known = await runner.query(getDeviceAuthorization, ctx, { typedCode: userCode, attemptKey })
      return mapResult(known, ({ device: { authorization, client }, state }) => ({
        deviceAuthorization: {
          clientId: authorization.clientId,
          clientDisplayName: client.displayName,
          scopes: [...authorization.scopes],
          audiences: [...authorization.audiences],
          state: STATES[state],
          expireTime: toTimestamp(authorization.expiresAt),
        },
      }))
    },
    async approveDeviceAuthorization(ctx, { userCode, user, scopes, attemptKey = null }) {
      const approved = await runner.execute(approveDeviceAuthorization, ctx, {
        typedCode: userCode,
        attemptKey,
        userReference: fromUserReference(user),
        requestedScopes: scopes,
      })
      return mapResult(approved, () => ({}))
    },
    async denyDeviceAuthorization(ctx, { userCode, attemptKey = null }) {
      return mapResult(
        await runner.execute(denyDeviceAuthorization, ctx, { typedCode: userCode, attemptKey }),
        () => ({}),
      )
    },
    async redeemDeviceCode(ctx, { deviceCode }) {
      const redeemed = await runner.execute(redeemDeviceCode, ctx, { presentedCode: deviceCode })
      return mapResult(redeemed, (issued) => ({ token: toIssuedToken(issued, ctx.now) }))
    },
    async *watchDeviceAuthorization(ctx, { deviceCode }) {
      for await (const event of watchDeviceAuthorization(ctx, deviceCode, options)) {
        yield mapResult(event, (seen) => ({
          state: STATES[seen.state],
          ...(seen.state === 'approved' && { token: toIssuedToken(seen.issued, seen.issued.token.issuedAt) }),
        }))
      }
    },
  }
}

/** RFC 8628 §3.3.1. */
function withUserCode(verificationUri: string, userCode: string): string {
  const uri = new URL(verificationUri)
  uri.searchParams.set('user_code', userCode)
  return uri.href
}
