import type { CallContext } from '../../context.ts'
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
import type { FlowRunner } from '../../flows/runner.ts'
import { DeviceAuthorizationState, type DeviceService } from '../../gen/qscope/v1/device_service_pb.ts'
import { mapResult } from '../../results.ts'
import { toDuration, toTimestamp } from '../convert/time.ts'
import { toIssuedToken } from '../convert/token.ts'
import { fromUserReference } from '../convert/user.ts'
import type { AnswerOf, AnswersOf, RequestOf, ServiceHandlers } from '../routes.ts'

const STATES = {
  pending: DeviceAuthorizationState.PENDING,
  approved: DeviceAuthorizationState.APPROVED,
  denied: DeviceAuthorizationState.DENIED,
  expired: DeviceAuthorizationState.EXPIRED,
  redeemed: DeviceAuthorizationState.REDEEMED,
} as const satisfies Record<DeviceState, DeviceAuthorizationState>

export interface DeviceHandlerOptions extends WatchOptions {
  /** The URI where users type their codes. */
  readonly verificationUri: string
}

type Methods = typeof DeviceService.method
type Request<Name extends keyof Methods> = RequestOf<Methods[Name]>
type Answer<Name extends Exclude<keyof Methods, 'watchDeviceAuthorization'>> = AnswerOf<Methods[Name]>

export class DeviceHandlers implements ServiceHandlers<typeof DeviceService> {
  readonly #runner: FlowRunner
  readonly #options: DeviceHandlerOptions

  constructor(options: DeviceHandlerOptions) {
    this.#runner = options.runner
    this.#options = options
  }

  async startDeviceAuthorization(
    ctx: CallContext,
    { scopes, audiences }: Request<'startDeviceAuthorization'>,
  ): Answer<'startDeviceAuthorization'> {
    const request = { requestedScopes: scopes, requestedAudiences: audiences }
    const started = await this.#runner.execute(startDeviceAuthorization, ctx, request)
    return mapResult(started, ({ authorization, deviceCode, userCode }) => ({
      deviceCode,
      userCode,
      verificationUri: this.#options.verificationUri,
      verificationUriComplete: withUserCode(this.#options.verificationUri, userCode),
      expiresIn: toDuration(timeLeft(authorization.expiresAt, authorization.createdAt)),
      interval: toDuration(authorization.pollInterval),
    }))
  }

  async getDeviceAuthorization(
    ctx: CallContext,
    { userCode, attemptKey }: Request<'getDeviceAuthorization'>,
  ): Answer<'getDeviceAuthorization'> {
    const known = await this.#runner.query(getDeviceAuthorization, ctx, {
      typedCode: userCode,
      attemptKey: attemptKey ?? null,
    })
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
  }

  async approveDeviceAuthorization(
    ctx: CallContext,
    { userCode, user, scopes, attemptKey }: Request<'approveDeviceAuthorization'>,
  ): Answer<'approveDeviceAuthorization'> {
    const approved = await this.#runner.execute(approveDeviceAuthorization, ctx, {
      typedCode: userCode,
      attemptKey: attemptKey ?? null,
      userReference: fromUserReference(user),
      requestedScopes: scopes,
    })
    return mapResult(approved, () => ({}))
  }

  async denyDeviceAuthorization(
    ctx: CallContext,
    { userCode, attemptKey }: Request<'denyDeviceAuthorization'>,
  ): Answer<'denyDeviceAuthorization'> {
    return mapResult(
      await this.#runner.execute(denyDeviceAuthorization, ctx, { typedCode: userCode, attemptKey: attemptKey ?? null }),
      () => ({}),
    )
  }

  async redeemDeviceCode(
    ctx: CallContext,
    { deviceCode, audiences }: Request<'redeemDeviceCode'>,
  ): Answer<'redeemDeviceCode'> {
    const redeemed = await this.#runner.execute(redeemDeviceCode, ctx, {
      presentedCode: deviceCode,
      requestedAudiences: audiences,
    })
    return mapResult(redeemed, (issued) => ({ token: toIssuedToken(issued, ctx.now) }))
  }

  async *watchDeviceAuthorization(
    ctx: CallContext,
    { deviceCode }: Request<'watchDeviceAuthorization'>,
  ): AnswersOf<Methods['watchDeviceAuthorization']> {
    for await (const event of watchDeviceAuthorization(ctx, deviceCode, this.#options)) {
      yield mapResult(event, (seen) => ({
        state: STATES[seen.state],
        ...(seen.state === 'approved' && { token: toIssuedToken(seen.issued, seen.issued.token.issuedAt) }),
      }))
    }
  }
}

/** RFC 8628 §3.3.1. */
function withUserCode(verificationUri: string, userCode: string): string {
  const uri = new URL(verificationUri)
  uri.searchParams.set('user_code', userCode)
  return uri.href
}
