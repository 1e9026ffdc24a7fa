/**
 * Every error a caller can see, in one place. From it come the `ErrorReason`
 * enum of the contract (checked equal at compile time in `grpc/errors.ts`), the
 * status details and the reference page in `docs/errors.md`.
 */

/** The canonical gRPC status codes that rows use. */
export type StatusName =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'UNAUTHENTICATED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'

/** One field of a request and what is wrong with it; `field` is a proto path. */
export interface FieldViolation {
  readonly field: string
  readonly description: string
}

/** Everything that status details can carry; each row names what it may use. */
export interface ErrorDetails {
  /** BadRequest.field_violations. */
  readonly violations?: readonly FieldViolation[]
  /** ErrorInfo.metadata, beside `oauth_error`. */
  readonly metadata?: Readonly<Record<string, string>>
  /** ResourceInfo. */
  readonly resource?: {
    readonly type:
      | 'client'
      | 'client_secret'
      | 'token'
      | 'grant'
      | 'user'
      | 'audit_event'
      | 'device_authorization'
      | 'signing_key'
    readonly name: string
  }
  /** RetryInfo.retry_delay, in milliseconds. */
  readonly retryAfterMs?: number
  /** QuotaFailure: whose limit, and which. */
  readonly quota?: { readonly subject: string; readonly description: string }
}

export interface ErrorRow<Details extends ErrorDetails> {
  /** The `error` code of the RFC, where it has one. */
  readonly oauthError: string | null
  /** Where the code is defined, such as `RFC 6749 §5.2`. */
  readonly rfc: string | null
  readonly status: StatusName
  /** The message of the status: safe for any caller, the same every time. */
  readonly description: string
  /** Whether the same call may be sent again as it is. */
  readonly retryable: boolean
  /**
   * The scheme of the challenge that goes with it over HTTP (RFC 9110 §11.6.1).
   * `Bearer` (RFC 6750 §3) names the error only to callers who showed a token.
   */
  readonly challenge?: 'Basic' | 'Bearer'
  /** Carries the type of the details; never set. */
  readonly details?: Details
}

type None = Record<never, never>
type Violations = { readonly violations: readonly FieldViolation[] }
type Resource = { readonly resource: NonNullable<ErrorDetails['resource']> }
type Metadata<Key extends string> = { readonly metadata: Readonly<Record<Key, string>> }
type RetryAfter = { readonly retryAfterMs: number }

function row<Details extends ErrorDetails = None>(value: ErrorRow<Details>): ErrorRow<Details> {
  return Object.freeze(value)
}

export const registry = Object.freeze({
  'oauth.invalid_request': row<Violations>({
    oauthError: 'invalid_request',
    rfc: 'RFC 6749 §5.2',
    status: 'INVALID_ARGUMENT',
    description: 'The request is missing a parameter, or one is malformed or contradicts another.',
    retryable: false,
    challenge: 'Bearer',
  }),
  'oauth.invalid_client': row({
    oauthError: 'invalid_client',
    rfc: 'RFC 6749 §5.2',
    status: 'UNAUTHENTICATED',
    description: 'Client authentication failed.',
    retryable: false,
    challenge: 'Basic',
  }),
  'oauth.invalid_grant': row({
    oauthError: 'invalid_grant',
    rfc: 'RFC 6749 §5.2',
    status: 'FAILED_PRECONDITION',
    description: 'The code, token or assertion is invalid, expired, spent, revoked or was issued to another client.',
    retryable: false,
  }),
  'oauth.unauthorized_client': row({
    oauthError: 'unauthorized_client',
    rfc: 'RFC 6749 §5.2',
    status: 'PERMISSION_DENIED',
    description: 'The client is not registered for this grant or call.',
    retryable: false,
  }),
  'oauth.unsupported_grant_type': row({
    oauthError: 'unsupported_grant_type',
    rfc: 'RFC 6749 §5.2',
    status: 'UNIMPLEMENTED',
    description: 'This grant is switched off on this server.',
    retryable: false,
  }),
  'oauth.invalid_scope': row<Metadata<'rejected_scopes'>>({
    oauthError: 'invalid_scope',
    rfc: 'RFC 6749 §5.2',
    status: 'INVALID_ARGUMENT',
    description: 'A scope is malformed or beyond what is allowed.',
    retryable: false,
  }),
  'oauth.invalid_target': row<Metadata<'rejected_audiences'>>({
    oauthError: 'invalid_target',
    rfc: 'RFC 8707 §2',
    status: 'INVALID_ARGUMENT',
    description: 'An audience is unknown or not allowed.',
    retryable: false,
  }),
  'oauth.access_denied': row({
    oauthError: 'access_denied',
    rfc: 'RFC 6749 §4.1.2.1',
    status: 'PERMISSION_DENIED',
    description: 'Reserved, not sent.',
    retryable: false,
  }),
  'oauth.unsupported_response_type': row({
    oauthError: 'unsupported_response_type',
    rfc: 'RFC 6749 §4.1.2.1',
    status: 'INVALID_ARGUMENT',
    description: 'Reserved, not sent.',
    retryable: false,
  }),
  'oauth.unsupported_token_type': row({
    oauthError: 'unsupported_token_type',
    rfc: 'RFC 7009 §2.2.1',
    status: 'FAILED_PRECONDITION',
    description: 'Reserved, not sent.',
    retryable: false,
  }),
  'oauth.invalid_token': row<{ readonly metadata?: { readonly token: 'presented' } }>({
    oauthError: 'invalid_token',
    rfc: 'RFC 6750 §3.1',
    status: 'UNAUTHENTICATED',
    description: 'The bearer token is missing, unknown, expired, revoked or malformed.',
    retryable: false,
    challenge: 'Bearer',
  }),
  'oauth.insufficient_scope': row<Metadata<'required_scopes'>>({
    oauthError: 'insufficient_scope',
    rfc: 'RFC 6750 §3.1',
    status: 'PERMISSION_DENIED',
    description: 'The token lacks a scope that this call requires.',
    retryable: false,
    challenge: 'Bearer',
  }),
  'oauth.server_error': row({
    oauthError: 'server_error',
    rfc: 'RFC 6749 §4.1.2.1',
    status: 'INTERNAL',
    description: 'The server met an unexpected condition; its log has the cause under the ray id.',
    retryable: false,
  }),
  'oauth.temporarily_unavailable': row<RetryAfter>({
    oauthError: 'temporarily_unavailable',
    rfc: 'RFC 6749 §4.1.2.1',
    status: 'UNAVAILABLE',
    description: 'The server is overloaded, draining or without its database; nothing was written.',
    retryable: true,
  }),
  'oauth.device.authorization_pending': row<RetryAfter>({
    oauthError: 'authorization_pending',
    rfc: 'RFC 8628 §3.5',
    status: 'FAILED_PRECONDITION',
    description: 'The user has not decided yet.',
    retryable: true,
  }),
  'oauth.device.slow_down': row<RetryAfter>({
    oauthError: 'slow_down',
    rfc: 'RFC 8628 §3.5',
    status: 'RESOURCE_EXHAUSTED',
    description: 'Polled before the interval was over; the interval has grown.',
    retryable: true,
  }),
  'oauth.device.expired_token': row({
    oauthError: 'expired_token',
    rfc: 'RFC 8628 §3.5',
    status: 'FAILED_PRECONDITION',
    description: 'The device code has expired.',
    retryable: false,
  }),
  'oauth.device.access_denied': row({
    oauthError: 'access_denied',
    rfc: 'RFC 8628 §3.5',
    status: 'PERMISSION_DENIED',
    description: 'The user refused.',
    retryable: false,
  }),
  'registration.invalid_redirect_uri': row<Violations>({
    oauthError: 'invalid_redirect_uri',
    rfc: 'RFC 7591 §3.2.2',
    status: 'INVALID_ARGUMENT',
    description: 'A redirect URI is not acceptable.',
    retryable: false,
  }),
  'registration.invalid_client_metadata': row<Violations>({
    oauthError: 'invalid_client_metadata',
    rfc: 'RFC 7591 §3.2.2',
    status: 'INVALID_ARGUMENT',
    description: 'The registration is inconsistent or asks for what this server does not have.',
    retryable: false,
  }),
  'registration.client_identifier_conflict': row<Resource>({
    oauthError: null,
    rfc: null,
    status: 'ALREADY_EXISTS',
    description: 'The client id is taken or reserved.',
    retryable: false,
  }),
  'resource.not_found': row<Resource>({
    oauthError: null,
    rfc: null,
    status: 'NOT_FOUND',
    description: 'There is no such resource.',
    retryable: false,
  }),
  'resource.conflict': row<{ readonly retryAfterMs?: number; readonly metadata?: Readonly<Record<string, string>> }>({
    oauthError: null,
    rfc: null,
    status: 'ABORTED',
    description: 'The resource changed meanwhile, or is too contended; read it again before deciding anew.',
    retryable: false,
  }),
  'resource.outcome_unknown': row<Metadata<'safe_to_retry'> & { readonly retryAfterMs?: number }>({
    oauthError: null,
    rfc: null,
    status: 'ABORTED',
    description: 'The commit could neither be confirmed nor ruled out.',
    retryable: false,
  }),
  'limit.exceeded': row<{ readonly quota: NonNullable<ErrorDetails['quota']> } & RetryAfter>({
    oauthError: null,
    rfc: null,
    status: 'RESOURCE_EXHAUSTED',
    description: 'A cap or rate limit is reached.',
    retryable: true,
  }),
})

export type ErrorCode = keyof typeof registry

/** The details a row demands: what a failure with this code must be given. */
export type DetailsOf<Code extends ErrorCode> = NonNullable<(typeof registry)[Code]['details']>
