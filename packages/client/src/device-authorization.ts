import { durationMs } from '@bufbuild/protobuf/wkt'
import type { Channel } from './channel.ts'
import { authenticationOf, type ClientProof } from './client-proof.ts'
import {
  DeviceAuthorizationState,
  DeviceService,
  type StartDeviceAuthorizationResponse,
} from './gen/qscope/v1/device_service_pb.ts'
import type { IssuedToken } from './gen/qscope/v1/token_pb.ts'
import { pause } from './pause.ts'
import { PollPace } from './poll-pace.ts'
import { QScopeError } from './qscope-error.ts'
import { statusCode } from './status-name.ts'
import { type AccessToken, accessTokenOf } from './tokens/access-token.ts'

const TIMEOUT_MS = 10_000

/** What a device asks for. */
export interface DeviceAuthorizationOptions {
  readonly client: ClientProof
  /** None: all that the client may have. */
  readonly scopes?: readonly string[] | undefined
  /** What the user is asked to consent to. None: no audience. */
  readonly audiences?: readonly string[] | undefined
  /**
   * Fewer of them, for the first access token (RFC 8707 §2.2); the refresh token
   * keeps them all. The device polls then: the stream gives a token for all.
   */
  readonly accessTokenAudiences?: readonly string[] | undefined
  /** Shows the user where to go and what to type. */
  readonly prompt: (prompt: DevicePrompt) => void | Promise<void>
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined
  /** The stream broke, and the device polls from now on. */
  readonly onFallback?: ((error: QScopeError) => void) | undefined
}

/** What the device shows (RFC 8628 §3.3). */
export interface DevicePrompt {
  /** Such as `BCDF-GHJK`. */
  readonly userCode: string
  readonly verificationUri: string
  /** The same with the code filled in, for a QR code. */
  readonly verificationUriComplete: string
  readonly expiresInMs: number
}

/** How it ended. */
export type DeviceOutcome =
  | { readonly state: 'approved'; readonly accessToken: AccessToken; readonly refreshToken: string | null }
  | { readonly state: 'denied' }
  | { readonly state: 'expired' }

/**
 * Obtains a user's tokens on a device without a browser (RFC 8628): shows a
 * code, then watches for the decision. Where the stream breaks it polls, at the
 * pace that QScope sets.
 *
 * @throws QScopeError for anything but a decision, and the signal's reason. With
 *   `OAUTH_INVALID_GRANT` the answer to a redemption was lost: the user starts again.
 */
export async function authorizeDevice(channel: Channel, options: DeviceAuthorizationOptions): Promise<DeviceOutcome> {
  const { client, scopes = [], audiences = [], signal } = options
  const started = await channel.unary(
    DeviceService.method.startDeviceAuthorization,
    { client: await authenticationOf(client), scopes: [...scopes], audiences: [...audiences] },
    { signal, timeoutMs: TIMEOUT_MS },
  )
  await options.prompt(promptOf(started))
  if (options.accessTokenAudiences !== undefined) return await poll(channel, options, started)
  try {
    return await watch(channel, options, started)
  } catch (error) {
    if (!(error instanceof QScopeError) || isFinal(error)) throw error
    options.onFallback?.(error)
    return await poll(channel, options, started)
  }
}

async function watch(
  channel: Channel,
  { client, signal }: DeviceAuthorizationOptions,
  { deviceCode }: StartDeviceAuthorizationResponse,
): Promise<DeviceOutcome> {
  const request = { client: await authenticationOf(client), deviceCode }
  for await (const event of channel.serverStream(DeviceService.method.watchDeviceAuthorization, request, { signal })) {
    switch (event.state) {
      case DeviceAuthorizationState.APPROVED:
        return approved(event.token)
      case DeviceAuthorizationState.DENIED:
        return { state: 'denied' }
      case DeviceAuthorizationState.EXPIRED:
        return { state: 'expired' }
      default:
        // PENDING, at once and as a heartbeat.
        break
    }
  }
  throw new QScopeError({
    code: statusCode('UNAVAILABLE'),
    message: 'the stream ended without a decision',
    details: [],
    rayId: null,
  })
}

async function poll(
  channel: Channel,
  { client, accessTokenAudiences = [], signal }: DeviceAuthorizationOptions,
  { deviceCode, interval }: StartDeviceAuthorizationResponse,
): Promise<DeviceOutcome> {
  const pace = new PollPace(interval === undefined ? null : durationMs(interval))
  for (;;) {
    await pause(pace.waitMs, signal)
    try {
      const { token } = await channel.unary(
        DeviceService.method.redeemDeviceCode,
        { client: await authenticationOf(client), deviceCode, audiences: [...accessTokenAudiences] },
        { signal, timeoutMs: TIMEOUT_MS },
      )
      return approved(token)
    } catch (error) {
      if (!(error instanceof QScopeError)) throw error
      switch (error.reason) {
        case 'OAUTH_DEVICE_ACCESS_DENIED':
          return { state: 'denied' }
        case 'OAUTH_DEVICE_EXPIRED_TOKEN':
          return { state: 'expired' }
        case 'OAUTH_DEVICE_SLOW_DOWN':
          pace.slowDown(error.retryAfterMs)
          break
        case 'OAUTH_DEVICE_AUTHORIZATION_PENDING':
          break
        default:
          if (isFinal(error)) throw error
      }
    }
  }
}

/** A refusal; all else is a server or a connection that went away, and a code that still waits. */
function isFinal(error: QScopeError): boolean {
  return error.rawReason === null ? !error.isOutcomeUnknown && !error.isTemporary : !error.isTemporary
}

function approved(token: IssuedToken | undefined): DeviceOutcome {
  return { state: 'approved', accessToken: accessTokenOf(token), refreshToken: token?.refreshToken ?? null }
}

function promptOf(started: StartDeviceAuthorizationResponse): DevicePrompt {
  const { userCode, verificationUri, verificationUriComplete, expiresIn } = started
  const expiresInMs = expiresIn === undefined ? 0 : durationMs(expiresIn)
  return { userCode, verificationUri, verificationUriComplete, expiresInMs }
}
