/** The expected parts of a refusal, for clients in all languages. */
export interface ExpectedRefusal {
  readonly status: string
  readonly reason: string
  readonly remedy: string
  /** All of `ErrorInfo.metadata`. */
  readonly metadata?: Readonly<Record<string, string>>
  /** The fields that `BadRequest` names. */
  readonly violations?: readonly string[]
  /** `ResourceInfo`, as `type/name`. */
  readonly resource?: string
  /** `RetryInfo`, in seconds. */
  readonly retry_after?: number
  /** The end of the ray id, where it is not the step's own name. */
  readonly ray?: string
}

const invalidGrant: ExpectedRefusal = {
  status: 'FAILED_PRECONDITION',
  reason: 'OAUTH_INVALID_GRANT',
  remedy: 'start_over',
  metadata: { oauth_error: 'invalid_grant' },
}

const presentedToken: ExpectedRefusal = {
  status: 'UNAUTHENTICATED',
  reason: 'OAUTH_INVALID_TOKEN',
  remedy: 'reject_bearer',
  metadata: { oauth_error: 'invalid_token', token: 'presented' },
}

/** The refusals of each tour, by the step that prints them. */
export const REFUSALS: Readonly<Record<string, ExpectedRefusal>> = Object.freeze({
  verify_unknown: presentedToken,
  verify_scope: {
    status: 'PERMISSION_DENIED',
    reason: 'OAUTH_INSUFFICIENT_SCOPE',
    remedy: 'ask_for_permission',
    metadata: { oauth_error: 'insufficient_scope', required_scopes: 'orders.read orders.write' },
  },
  certificate_missing: { ...presentedToken, ray: 'certificate' },
  code_verifier: invalidGrant,
  code_reuse: invalidGrant,
  refresh_reuse: invalidGrant,
  device_pending: {
    status: 'FAILED_PRECONDITION',
    reason: 'OAUTH_DEVICE_AUTHORIZATION_PENDING',
    remedy: 'wait_and_repeat',
    metadata: { oauth_error: 'authorization_pending' },
    retry_after: 5,
    ray: 'device_poll',
  },
  device_slow_down: {
    status: 'RESOURCE_EXHAUSTED',
    reason: 'OAUTH_DEVICE_SLOW_DOWN',
    remedy: 'wait_and_repeat',
    metadata: { oauth_error: 'slow_down' },
    retry_after: 10,
    ray: 'device_poll',
  },
  device_redeemed: { ...invalidGrant, ray: 'device_poll' },
  exchange_refused: {
    status: 'INVALID_ARGUMENT',
    reason: 'OAUTH_INVALID_REQUEST',
    remedy: 'correct_request',
    metadata: { oauth_error: 'invalid_request' },
    violations: ['subject_token'],
    ray: 'exchange',
  },
  assertion_refused: { ...invalidGrant, ray: 'assertion' },
  revoke_foreign: { ...invalidGrant, ray: 'revoke' },
  not_found: {
    status: 'NOT_FOUND',
    reason: 'RESOURCE_NOT_FOUND',
    remedy: 'read_again',
    resource: 'client/nobody',
    ray: 'manage',
  },
  no_permission: {
    status: 'PERMISSION_DENIED',
    reason: 'OAUTH_INSUFFICIENT_SCOPE',
    remedy: 'ask_for_permission',
    metadata: { oauth_error: 'insufficient_scope', required_scopes: 'qscope:clients.read' },
    ray: 'manage',
  },
  no_bearer: {
    status: 'UNAUTHENTICATED',
    reason: 'OAUTH_INVALID_TOKEN',
    remedy: 'renew_token',
    metadata: { oauth_error: 'invalid_token' },
    ray: 'manage',
  },
  wrong_secret: {
    status: 'UNAUTHENTICATED',
    reason: 'OAUTH_INVALID_CLIENT',
    remedy: 'check_credentials',
    metadata: { oauth_error: 'invalid_client' },
  },
  bad_lifetime: {
    status: 'INVALID_ARGUMENT',
    reason: 'OAUTH_INVALID_REQUEST',
    remedy: 'correct_request',
    metadata: { oauth_error: 'invalid_request' },
    violations: ['lifetime'],
  },
  bad_scope: {
    status: 'INVALID_ARGUMENT',
    reason: 'OAUTH_INVALID_SCOPE',
    remedy: 'correct_request',
    metadata: { oauth_error: 'invalid_scope', rejected_scopes: 'orders.burn' },
  },
  bad_audience: {
    status: 'INVALID_ARGUMENT',
    reason: 'OAUTH_INVALID_TARGET',
    remedy: 'correct_request',
    metadata: { oauth_error: 'invalid_target', rejected_audiences: 'https://elsewhere.example' },
  },
  bad_grant: {
    status: 'PERMISSION_DENIED',
    reason: 'OAUTH_UNAUTHORIZED_CLIENT',
    remedy: 'ask_for_permission',
    metadata: { oauth_error: 'unauthorized_client', grant_type: 'client_credentials' },
  },
})
