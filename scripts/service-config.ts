import { type DescMethod, getOption } from '@bufbuild/protobuf'
import { AuditService } from '../src/gen/qscope/v1/audit_service_pb.ts'
import { ClientService } from '../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../src/gen/qscope/v1/device_service_pb.ts'
import { KeyService } from '../src/gen/qscope/v1/key_service_pb.ts'
import { access } from '../src/gen/qscope/v1/options_pb.ts'
import { ServerService } from '../src/gen/qscope/v1/server_service_pb.ts'
import { TokenService } from '../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../src/gen/qscope/v1/trust_service_pb.ts'
import { UsageService } from '../src/gen/qscope/v1/usage_service_pb.ts'
import { UserService } from '../src/gen/qscope/v1/user_service_pb.ts'

/** All that the contract has. */
export const SERVICES = Object.freeze([
  AuditService,
  ClientService,
  DeviceService,
  KeyService,
  ServerService,
  TokenService,
  TrustService,
  UsageService,
  UserService,
])

/**
 * Not idempotent, and sent again all the same: each issues something new, so a
 * lost answer leaves an unused token or code behind, which expires. Whatever
 * spends a code, a refresh token or an assertion is not among them.
 */
const ISSUING: ReadonlySet<DescMethod> = new Set<DescMethod>([
  TokenService.method.mintToken,
  TokenService.method.batchMintTokens,
  TokenService.method.createAuthorizationCode,
  TokenService.method.exchangeToken,
  DeviceService.method.startDeviceAuthorization,
])

/** The server sends UNAVAILABLE only where nothing was written; a lost connection looks the same to a client. */
const RETRY_POLICY = Object.freeze({
  maxAttempts: 4,
  initialBackoff: '0.1s',
  maxBackoff: '2s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE'],
})

/**
 * How long a client waits before it connects again, at first and at most. With
 * the 120 s that gRPC grows to unless told otherwise, a client may sit out the
 * whole restart of a small fleet, and then know only instances that are gone.
 */
export const CHANNEL_SETTINGS = Object.freeze({ initialReconnectBackoffMs: 500, maxReconnectBackoffMs: 10_000 })

/** Retries stop while most calls fail, so that they do not keep a struggling server down. */
const RETRY_THROTTLING = Object.freeze({ maxTokens: 10, tokenRatio: 0.1 })

/** Whether a library may send the call again without knowing how the first one ended. */
export function mayBeSentAgain(method: DescMethod): boolean {
  return getOption(method, access).idempotent || ISSUING.has(method)
}

/** Every method of QScope. */
export const METHODS: readonly DescMethod[] = SERVICES.flatMap(({ methods }) => methods)

/**
 * The gRPC service config that clients are given: what a library may send again,
 * and calls spread over all addresses of the name. A method that is not named
 * is sent once.
 */
export function serviceConfig() {
  const name = METHODS.filter(mayBeSentAgain).map(({ parent, name: method }) => ({ service: parent.typeName, method }))
  return {
    loadBalancingConfig: [{ round_robin: {} }],
    retryThrottling: RETRY_THROTTLING,
    methodConfig: [{ name, retryPolicy: RETRY_POLICY }],
  }
}
