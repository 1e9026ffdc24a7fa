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

/**
 * One field of a request and what is wrong with it. `field` is a proto path, empty for the request itself. `description` is
 * the predicate of a sentence about the field, without a value of the request.
 */
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
      | 'protected_resource'
      | 'trusted_issuer'
    readonly name: string
  }
  /** RetryInfo.retry_delay, in milliseconds. */
  readonly retryAfterMs?: number
  /** QuotaFailure: whose limit, and which. */
  readonly quota?: { readonly subject: string; readonly description: string }
  /** Which of the row's cases it is: it chooses the sentence, and is not sent by itself. */
  readonly because?: string
}

/** The `error` codes of OAuth that rows use. */
export type OAuthError =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'access_denied'
  | 'unsupported_response_type'
  | 'unsupported_token_type'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'server_error'
  | 'temporarily_unavailable'
  | 'authorization_pending'
  | 'slow_down'
  | 'expired_token'
  | 'invalid_redirect_uri'
  | 'invalid_client_metadata'

/**
 * How a refusal is answered at the endpoints of OAuth over HTTP (RFC 6749 §5.2): its
 * status, the header that goes with it, and the `error` of the JSON. None of the
 * statuses that retry policies send again by themselves (502, 503, 504) may stand
 * for what may have changed something; 503 and 429 say when to come back, so the
 * details must hold that.
 */
export type OAuthAnswer<Details extends ErrorDetails> =
  | { readonly status: 400 | 500; readonly header: null }
  | { readonly status: 401 | 403; readonly header: 'WWW-Authenticate' }
  | (Details extends { readonly retryAfterMs?: number }
      ? 'retryAfterMs' extends keyof Details
        ? { readonly status: 429 | 503; readonly header: 'Retry-After' }
        : never
      : never)

/** The name of the error in OAuth; where it has none, the one that stands for it over HTTP. */
type OAuthNames<Details extends ErrorDetails> =
  | {
      /** The `error` code of the RFC. */
      readonly oauthError: OAuthError
      readonly http: OAuthAnswer<Details>
    }
  | {
      /** No RFC has a code for it. */
      readonly oauthError: null
      readonly http: OAuthAnswer<Details> & { readonly error: OAuthError }
    }

export type ErrorRow<Details extends ErrorDetails> = OAuthNames<Details> & {
  /** Where the code is defined, such as `RFC 6749 §5.2`. */
  readonly rfc: string | null
  readonly status: StatusName
  /** The message of the status where no case is told: safe for any caller. What stands in braces is filled in from the details. */
  readonly description: string
  /** The message by case, where the caller may know which one it is. */
  readonly cases?: Readonly<Record<string, string>>
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

const BAD_REQUEST = Object.freeze({ status: 400, header: null })
const UNAUTHORIZED = Object.freeze({ status: 401, header: 'WWW-Authenticate' })
const SERVER_ERROR = Object.freeze({ status: 500, header: null })
const UNAVAILABLE_ANSWER = Object.freeze({ status: 503, header: 'Retry-After' })

type None = Record<never, never>
type Violations = { readonly violations: readonly FieldViolation[] }
type Resource = { readonly resource: NonNullable<ErrorDetails['resource']> }
type Metadata<Key extends string> = { readonly metadata: Readonly<Record<Key, string>> }
type RetryAfter = { readonly retryAfterMs: number }

/** What callers may know of why they were not authenticated; an unknown id, a wrong proof and a disabled client are one. */
const INVALID_CLIENT = Object.freeze({
  missing:
    'The call carries no client credentials. Send them in the field client or as authorization: Basic. Some calls also accept a bearer token.',
  malformed:
    'The authorization metadata cannot be parsed. For client credentials, send Basic and the base64 of id:secret, with id and secret form-encoded (RFC 6749 §2.3.1). For a token, send Bearer and the token.',
  bearer:
    'This call requires client authentication; a bearer token does not authenticate a client. Send client credentials instead.',
  forwarded_untrusted:
    'The client CA of this server did not issue the client certificate that the proxy forwarded, or an intermediate certificate is missing or invalid. Let the proxy forward the chain as well.',
  forwarded_purpose:
    'The certificate that the proxy forwarded is not a TLS client certificate: it is a CA certificate, or its key usage or an extension forbids this use.',
  not_an_svid:
    'By its client_assertion_type the client assertion is a SPIFFE JWT-SVID, but its subject is not the SPIFFE ID of a workload. Send a JWT-SVID, or the type jwt-bearer with another JWT.',
  forwarded_expired: 'The client certificate that the proxy forwarded has expired or is not yet valid.',
})

const INVALID_TOKEN = Object.freeze({
  missing: 'This call requires a bearer token. Send authorization: Bearer and a token.',
  malformed: 'The authorization metadata cannot be parsed. Send Bearer and the token (RFC 6750 §2.1).',
  client:
    'This call requires a bearer token, not client credentials. Mint a token with the credentials and send the token.',
  audience:
    'The audience of the bearer token does not include this server. Mint a token without audiences, or one whose audience is the issuer of this server.',
  certificate:
    'The bearer token is bound to a client certificate that this connection did not present. Connect with that certificate.',
  presented_audience: 'The presented token was issued for another audience than the one in the request.',
  presented_certificate:
    'The presented token is bound to another client certificate than the one its bearer presented.',
  presented: 'The presented token is not valid: it is unknown, expired, revoked, malformed or not an access token.',
})

const UNAUTHORIZED_CLIENT = Object.freeze({
  grant:
    'The client is not registered for the grant type {grant_type}. Add this grant type with UpdateClient, or use a registered one.',
  public:
    'Public clients may not introspect or verify tokens, because anyone can use their client id. Use a confidential client.',
  own_rotation:
    'The client may not rotate its own secret. This requires config.allow_own_rotation, a client that authenticates with a secret, and no qscope: scopes. Ask an administrator to rotate the secret.',
  superseded:
    'The presented secret may no longer rotate, because an administrator has created a newer one. Use the newer secret.',
})

const CONFLICT = Object.freeze({
  etag: 'The etag is out of date: the resource has changed since it was read. Read the resource again, then decide whether to repeat the change.',
  owner: 'Another owner’s configuration manages this resource. Change it there, or adopt the resource.',
  issuer_exists: 'This issuer is already trusted. Update it, or delete it first.',
  issuer_of_file:
    'The server’s file of trusted issuers defines this issuer and overrides the database. Ask the operator to change the file.',
  decided: 'The opposite decision is already recorded and cannot be changed.',
  key_state: 'The signing key is {state} and cannot return to an earlier state. Prepare another key.',
  key_too_early:
    'The signing key cannot be activated before {activate_after}, because callers may still cache a key set without it. Repeat the call after that time.',
  contended: 'Too many calls are changing this resource at the same time. Repeat the call after the delay.',
})

const OUTCOME_UNKNOWN = Object.freeze({
  true: 'The server does not know whether the change was committed. Repeat the call: this is safe.',
  false:
    'The server does not know whether the change was committed. Check whether it took effect before repeating the call.',
})

const UNAVAILABLE = Object.freeze({
  clock:
    'This instance issues no tokens because its clock differs too much from the clock of the database. Nothing was written. Repeat the call: another instance may answer it. Operators: run qscope doctor.',
  issuer_keys:
    'The assertion cannot be verified because the keys of its issuer cannot be fetched. Nothing was written. Repeat the call after the delay.',
})

const UNSUPPORTED_GRANT_TYPE = Object.freeze({
  unknown: 'This server does not support this grant type. The server metadata lists the supported grant types.',
})

const NOT_FOUND = Object.freeze({
  user_code:
    'No pending device authorization has this user code. Check the code for a typing error, or start again: it may have expired.',
})

function row<Details extends ErrorDetails = None>(value: ErrorRow<Details>): ErrorRow<Details> {
  return Object.freeze(value)
}

export const registry = Object.freeze({
  'oauth.invalid_request': row<Violations>({
    oauthError: 'invalid_request',
    rfc: 'RFC 6749 §5.2',
    http: BAD_REQUEST,
    status: 'INVALID_ARGUMENT',
    description:
      'A parameter of the request is missing, malformed or in conflict with another: {violations}. Correct the request.',
    retryable: false,
    challenge: 'Bearer',
  }),
  'oauth.invalid_client': row<{ readonly because?: keyof typeof INVALID_CLIENT }>({
    oauthError: 'invalid_client',
    rfc: 'RFC 6749 §5.2',
    http: UNAUTHORIZED,
    status: 'UNAUTHENTICATED',
    description:
      'Client authentication failed. Check the client id and its credentials, and that the client is enabled and registered for this authentication method.',
    cases: INVALID_CLIENT,
    retryable: false,
    challenge: 'Basic',
  }),
  'oauth.invalid_grant': row({
    oauthError: 'invalid_grant',
    rfc: 'RFC 6749 §5.2',
    http: BAD_REQUEST,
    status: 'FAILED_PRECONDITION',
    description:
      'The code, token or assertion is invalid, expired, already used, revoked or issued to another client. Discard it and start the grant again.',
    retryable: false,
  }),
  'oauth.unauthorized_client': row<
    | (Metadata<'grant_type'> & { readonly because: 'grant' })
    | { readonly because?: Exclude<keyof typeof UNAUTHORIZED_CLIENT, 'grant'> }
  >({
    oauthError: 'unauthorized_client',
    rfc: 'RFC 6749 §5.2',
    http: BAD_REQUEST,
    status: 'PERMISSION_DENIED',
    description: 'The client is disabled, or is not registered for this grant or call.',
    cases: UNAUTHORIZED_CLIENT,
    retryable: false,
  }),
  'oauth.unsupported_grant_type': row<{ readonly because?: keyof typeof UNSUPPORTED_GRANT_TYPE }>({
    oauthError: 'unsupported_grant_type',
    rfc: 'RFC 6749 §5.2',
    http: BAD_REQUEST,
    status: 'UNIMPLEMENTED',
    description: 'This grant is not enabled on this server. Use another grant, or ask the operator to enable it.',
    cases: UNSUPPORTED_GRANT_TYPE,
    retryable: false,
  }),
  'oauth.invalid_scope': row<Metadata<'rejected_scopes'>>({
    oauthError: 'invalid_scope',
    rfc: 'RFC 6749 §5.2',
    http: BAD_REQUEST,
    status: 'INVALID_ARGUMENT',
    description:
      'These scopes are malformed or not allowed: {rejected_scopes}. Request other scopes, or register the client for these.',
    retryable: false,
  }),
  'oauth.invalid_target': row<Metadata<'rejected_audiences'>>({
    oauthError: 'invalid_target',
    rfc: 'RFC 8707 §2',
    http: BAD_REQUEST,
    status: 'INVALID_ARGUMENT',
    description:
      'These audiences are unknown or not allowed: {rejected_audiences}. Request audiences that the client is registered for.',
    retryable: false,
  }),
  'oauth.access_denied': row({
    oauthError: 'access_denied',
    rfc: 'RFC 6749 §4.1.2.1',
    http: BAD_REQUEST,
    status: 'PERMISSION_DENIED',
    description: 'Reserved, not sent.',
    retryable: false,
  }),
  'oauth.unsupported_response_type': row({
    oauthError: 'unsupported_response_type',
    rfc: 'RFC 6749 §4.1.2.1',
    http: BAD_REQUEST,
    status: 'INVALID_ARGUMENT',
    description: 'Reserved, not sent.',
    retryable: false,
  }),
  'oauth.unsupported_token_type': row({
    oauthError: 'unsupported_token_type',
    rfc: 'RFC 7009 §2.2.1',
    http: BAD_REQUEST,
    status: 'FAILED_PRECONDITION',
    description: 'Reserved, not sent.',
    retryable: false,
  }),
  'oauth.invalid_token': row<{
    readonly metadata?: { readonly token: 'presented' }
    readonly because?: keyof typeof INVALID_TOKEN
  }>({
    oauthError: 'invalid_token',
    rfc: 'RFC 6750 §3.1',
    http: UNAUTHORIZED,
    status: 'UNAUTHENTICATED',
    description: 'The bearer token is not valid: it is unknown, expired, revoked or malformed. Mint a new one.',
    cases: INVALID_TOKEN,
    retryable: false,
    challenge: 'Bearer',
  }),
  'oauth.insufficient_scope': row<Metadata<'required_scopes'>>({
    oauthError: 'insufficient_scope',
    rfc: 'RFC 6750 §3.1',
    http: { status: 403, header: 'WWW-Authenticate' },
    status: 'PERMISSION_DENIED',
    description:
      'The token lacks required scopes: {required_scopes}. Mint a token with these scopes, from a client that is registered for them.',
    retryable: false,
    challenge: 'Bearer',
  }),
  'oauth.server_error': row({
    oauthError: 'server_error',
    rfc: 'RFC 6749 §4.1.2.1',
    http: SERVER_ERROR,
    status: 'INTERNAL',
    description:
      'An internal error occurred. Give the ray id to the operator, who can find the cause in the log with it.',
    retryable: false,
  }),
  'oauth.temporarily_unavailable': row<RetryAfter & { readonly because?: keyof typeof UNAVAILABLE }>({
    oauthError: 'temporarily_unavailable',
    rfc: 'RFC 6749 §4.1.2.1',
    http: UNAVAILABLE_ANSWER,
    status: 'UNAVAILABLE',
    description:
      'The server is overloaded, is shutting down or cannot reach its database. Nothing was written. Repeat the call after the delay.',
    cases: UNAVAILABLE,
    retryable: true,
  }),
  'oauth.device.authorization_pending': row<RetryAfter>({
    oauthError: 'authorization_pending',
    rfc: 'RFC 8628 §3.5',
    http: BAD_REQUEST,
    status: 'FAILED_PRECONDITION',
    description: 'The user has not decided yet. Poll again after the interval.',
    retryable: true,
  }),
  'oauth.device.slow_down': row<RetryAfter>({
    oauthError: 'slow_down',
    rfc: 'RFC 8628 §3.5',
    http: BAD_REQUEST,
    status: 'RESOURCE_EXHAUSTED',
    description: 'The device polled too early, so its polling interval is now longer. Poll at the new interval.',
    retryable: true,
  }),
  'oauth.device.expired_token': row({
    oauthError: 'expired_token',
    rfc: 'RFC 8628 §3.5',
    http: BAD_REQUEST,
    status: 'FAILED_PRECONDITION',
    description: 'The device code has expired. Start a new device authorization.',
    retryable: false,
  }),
  'oauth.device.access_denied': row({
    oauthError: 'access_denied',
    rfc: 'RFC 8628 §3.5',
    http: BAD_REQUEST,
    status: 'PERMISSION_DENIED',
    description: 'The user refused. Stop polling.',
    retryable: false,
  }),
  'registration.invalid_redirect_uri': row<Violations>({
    oauthError: 'invalid_redirect_uri',
    rfc: 'RFC 7591 §3.2.2',
    http: BAD_REQUEST,
    status: 'INVALID_ARGUMENT',
    description: 'A redirect URI is not allowed: {violations}. Correct the registration.',
    retryable: false,
  }),
  'registration.invalid_client_metadata': row<Violations>({
    oauthError: 'invalid_client_metadata',
    rfc: 'RFC 7591 §3.2.2',
    http: BAD_REQUEST,
    status: 'INVALID_ARGUMENT',
    description:
      'The client registration is inconsistent or uses something that this server does not support: {violations}. Correct the registration.',
    retryable: false,
  }),
  'registration.client_identifier_conflict': row<Resource>({
    oauthError: null,
    rfc: null,
    http: { ...BAD_REQUEST, error: 'invalid_client_metadata' },
    status: 'ALREADY_EXISTS',
    description: 'The client id {name} is in use, or belonged to a deleted client. Choose another id.',
    retryable: false,
  }),
  'resource.not_found': row<Resource & { readonly because?: keyof typeof NOT_FOUND }>({
    oauthError: null,
    rfc: null,
    http: { ...BAD_REQUEST, error: 'invalid_request' },
    status: 'NOT_FOUND',
    description: 'The {type} {name} does not exist. Check the id.',
    cases: NOT_FOUND,
    retryable: false,
  }),
  'resource.conflict': row<{
    readonly retryAfterMs?: number
    readonly metadata?: Readonly<Record<string, string>>
    readonly because: keyof typeof CONFLICT
  }>({
    oauthError: null,
    rfc: null,
    http: { ...UNAVAILABLE_ANSWER, error: 'temporarily_unavailable' },
    status: 'ABORTED',
    description:
      'The state of the resource does not allow this call. Read the resource again, then decide whether to repeat the call.',
    cases: CONFLICT,
    retryable: false,
  }),
  'resource.outcome_unknown': row<
    Metadata<'safe_to_retry'> & { readonly retryAfterMs?: number; readonly because: keyof typeof OUTCOME_UNKNOWN }
  >({
    oauthError: null,
    rfc: null,
    http: { ...SERVER_ERROR, error: 'server_error' },
    status: 'ABORTED',
    description: 'The server does not know whether the change was committed.',
    cases: OUTCOME_UNKNOWN,
    retryable: false,
  }),
  'limit.exceeded': row<{ readonly quota: NonNullable<ErrorDetails['quota']> } & RetryAfter>({
    oauthError: null,
    rfc: null,
    http: { status: 429, header: 'Retry-After', error: 'temporarily_unavailable' },
    status: 'RESOURCE_EXHAUSTED',
    description: 'A limit was reached: {limit}. Repeat the call after the delay.',
    retryable: true,
  }),
})

export type ErrorCode = keyof typeof registry

/** The details a row demands: what a failure with this code must be given. */
export type DetailsOf<Code extends ErrorCode> = NonNullable<(typeof registry)[Code]['details']>
