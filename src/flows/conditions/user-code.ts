import { actorOf } from '../../context.ts'
import { readUserCode } from '../../crypto/user-code.ts'
import { type DeviceAuthorizationStatus, type DeviceState, deviceStateOf } from '../../domain/device-authorization.ts'
import { fail, invalidRequest, success } from '../../results.ts'
import { condition } from '../condition.ts'

export interface TypedUserCode {
  /** As the user typed it. */
  readonly typedCode: string
  /** Tells end users apart, for the limit on wrong codes; `null`: the caller does not. */
  readonly attemptKey: string | null
}

export interface KnownDevice {
  readonly device: DeviceAuthorizationStatus
  readonly state: Exclude<DeviceState, 'expired'>
}

const RETRY_AFTER_MS = 60_000

/** RFC 8628 §3.3, §5.1: the code stands for an authorization that has not run out; wrong ones are limited. */
export const userCodeIsKnown = condition<TypedUserCode, KnownDevice>(
  'userCodeIsKnown',
  async (ctx, { typedCode, attemptKey }) => {
    const { keyring, limits } = ctx.services
    const code = readUserCode(typedCode)
    if (code === null) {
      const description = 'must be eight letters, such as BCDF-GHJK'
      return invalidRequest('user_code', description)
    }
    if (!limits.userCodeAttempts.begin(ctx, attemptKey)) {
      return fail('limit.exceeded', {
        quota: { subject: `client:${actorOf(ctx)}`, description: 'too many wrong user codes' },
        retryAfterMs: RETRY_AFTER_MS,
      })
    }
    const device = await ctx.stores.deviceAuthorizations.findByUserCode(ctx, keyring.userCodeHashes(code))
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
