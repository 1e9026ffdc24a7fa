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
    'No client credentials came with the call. Send them in its field client, or as authorization: Basic; where the call allows it, a bearer token will do.',
  malformed:
    'The authorization metadata cannot be read. For client credentials it is Basic and the base64 of id:secret, both form-encoded (RFC 6749 §2.3.1); for a token it is Bearer and the token.',
  bearer: 'This call proves a client, and a bearer token does not. Send client credentials instead.',
  forwarded_untrusted:
    'The client certificate that the proxy forwarded does not come from the client CA of this server, or a certificate between them is missing or not valid. Have the proxy forward the chain too.',
  forwarded_purpose:
    'The certificate that the proxy forwarded is not for TLS clients: it is one of a CA, or its key usage or one of its extensions does not allow it.',
  forwarded_expired: 'The client certificate that the proxy forwarded has expired, or is not valid yet.',
})

const INVALID_TOKEN = Object.freeze({
  missing: 'This call needs a bearer token, and none came with it. Send authorization: Bearer and a token.',
  malformed: 'The authorization metadata cannot be read. It is Bearer and the token (RFC 6750 §2.1).',
  client: 'This call takes a bearer token, not client credentials. Mint a token with them and send that.',
  audience:
    'The bearer token is for another audience than this server. Mint one without audiences, or for the issuer of this server.',
  certificate:
    'The bearer token is bound to a certificate that this connection did not show. Connect with that certificate.',
  presented_audience: 'The presented token is not for the audience that was asked about.',
  presented_certificate: 'The presented token is bound to another certificate than the one that its bearer showed.',
  presented: 'The presented token is not good: it is unknown, expired, revoked or malformed, or no access token.',
})

const UNAUTHORIZED_CLIENT = Object.freeze({
  grant: 'The client is not registered for this grant. Register it with UpdateClient, or use a grant that it has.',
  public: 'Public clients check no tokens, because anybody could under their name. Use a confidential client.',
  own_rotation:
    'The client may not draw secrets for itself: that takes config.allow_own_rotation, a client that authenticates by secrets, and no qscope: scopes. Ask an administrator to rotate.',
  superseded:
    'An administrator has drawn a secret after the one that was shown, which may draw none any more. Use the newer one.',
})

const CONFLICT = Object.freeze({
  etag: 'The etag is not the current one: the resource changed meanwhile. Read it again before deciding anew.',
  owner: 'The resource is managed by the configuration of another owner. Leave it to that one, or adopt it.',
  issuer_exists: 'This issuer is trusted already. Update it, or delete it before.',
  issuer_of_file:
    'The issuer stands in the server’s file of trusted issuers, which counts before the database. Have its operator change it there.',
  decided: 'The opposite was decided before, and that stands.',
  key_state: 'The signing key is {state} and cannot go back. Prepare another key.',
  key_too_early:
    'The signing key cannot sign before {activate_after}: until then, callers may keep a key set without it. Repeat the call then.',
  contended: 'Too many calls change this resource at once. Repeat the call after the delay.',
})

const OUTCOME_UNKNOWN = Object.freeze({
  true: 'The commit could neither be confirmed nor ruled out. Repeat the call: twice does no harm.',
  false: 'The commit could neither be confirmed nor ruled out. Look whether it took effect before repeating the call.',
})

const UNAVAILABLE = Object.freeze({
  clock:
    'The clock of this instance and the database’s lie too far apart, so it issues no tokens; nothing was written. Repeat the call, which another instance may answer; its operator runs qscope doctor.',
  issuer_keys:
    'The keys of the assertion’s issuer cannot be fetched at the moment, so the assertion cannot be verified; nothing was written. Repeat the call after the delay.',
})

const UNSUPPORTED_GRANT_TYPE = Object.freeze({
  unknown: 'There is no grant of this type here. The metadata of the server names those that there are.',
})

const NOT_FOUND = Object.freeze({
  user_code: 'No device authorization is pending under this user code: it is mistyped, or it ran out.',
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
      'A parameter of the request is missing or malformed, or contradicts another; the field violations say which. Correct the request.',
    retryable: false,
    challenge: 'Bearer',
  }),
  'oauth.invalid_client': row<{ readonly because?: keyof typeof INVALID_CLIENT }>({
    oauthError: 'invalid_client',
    rfc: 'RFC 6749 §5.2',
    http: UNAUTHORIZED,
    status: 'UNAUTHENTICATED',
    description:
      'Client authentication failed. Check the client id, its secret or other proof, and whether the client is enabled and registered for this way to authenticate.',
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
      'The code, token or assertion is invalid, expired, spent, revoked or was issued to another client. Drop it and begin again.',
    retryable: false,
  }),
  'oauth.unauthorized_client': row<{ readonly because?: keyof typeof UNAUTHORIZED_CLIENT }>({
    oauthError: 'unauthorized_client',
    rfc: 'RFC 6749 §5.2',
    http: BAD_REQUEST,
    status: 'PERMISSION_DENIED',
    description: 'The client is disabled, or not registered for this grant or call.',
    cases: UNAUTHORIZED_CLIENT,
    retryable: false,
  }),
  'oauth.unsupported_grant_type': row<{ readonly because?: keyof typeof UNSUPPORTED_GRANT_TYPE }>({
    oauthError: 'unsupported_grant_type',
    rfc: 'RFC 6749 §5.2',
    http: BAD_REQUEST,
    status: 'UNIMPLEMENTED',
    description: 'This grant is switched off on this server. Use another one, or ask its operator.',
    cases: UNSUPPORTED_GRANT_TYPE,
    retryable: false,
  }),
  'oauth.invalid_scope': row<Metadata<'rejected_scopes'>>({
    oauthError: 'invalid_scope',
    rfc: 'RFC 6749 §5.2',
    http: BAD_REQUEST,
    status: 'INVALID_ARGUMENT',
    description:
      'These scopes are malformed or beyond what is allowed here: {rejected_scopes}. Ask for fewer, or register the client for them.',
    retryable: false,
  }),
  'oauth.invalid_target': row<Metadata<'rejected_audiences'>>({
    oauthError: 'invalid_target',
    rfc: 'RFC 8707 §2',
    http: BAD_REQUEST,
    status: 'INVALID_ARGUMENT',
    description: 'These audiences are unknown or not allowed here: {rejected_audiences}. Ask for registered ones.',
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
    description: 'The bearer token is not good: it is unknown, expired, revoked or malformed. Mint another one.',
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
      'The token lacks scopes that are required: {required_scopes}. Mint one that has them, from a client that is registered for them.',
    retryable: false,
    challenge: 'Bearer',
  }),
  'oauth.server_error': row({
    oauthError: 'server_error',
    rfc: 'RFC 6749 §4.1.2.1',
    http: SERVER_ERROR,
    status: 'INTERNAL',
    description:
      'The server met an unexpected condition. Give its operator the ray id: the log has the cause under it.',
    retryable: false,
  }),
  'oauth.temporarily_unavailable': row<RetryAfter & { readonly because?: keyof typeof UNAVAILABLE }>({
    oauthError: 'temporarily_unavailable',
    rfc: 'RFC 6749 §4.1.2.1',
    http: UNAVAILABLE_ANSWER,
    status: 'UNAVAILABLE',
    description:
      'The server is overloaded, draining or without its database; nothing was written. Repeat the call after the delay.',
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
    description: 'The device polled before the interval was over, and the interval has grown. Poll at the new pace.',
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
    description: 'A redirect URI is not acceptable; the field violations say which, and why.',
    retryable: false,
  }),
  'registration.invalid_client_metadata': row<Violations>({
    oauthError: 'invalid_client_metadata',
    rfc: 'RFC 7591 §3.2.2',
    http: BAD_REQUEST,
    status: 'INVALID_ARGUMENT',
    description:
      'The registration is inconsistent or asks for what this server does not have; the field violations say where.',
    retryable: false,
  }),
  'registration.client_identifier_conflict': row<Resource>({
    oauthError: null,
    rfc: null,
    http: { ...BAD_REQUEST, error: 'invalid_client_metadata' },
    status: 'ALREADY_EXISTS',
    description: 'The client id {name} is taken, or belonged to a client that was deleted. Choose another one.',
    retryable: false,
  }),
  'resource.not_found': row<Resource & { readonly because?: keyof typeof NOT_FOUND }>({
    oauthError: null,
    rfc: null,
    http: { ...BAD_REQUEST, error: 'invalid_request' },
    status: 'NOT_FOUND',
    description: 'There is no {type} {name}. Check the id.',
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
    description: 'The resource is not in a state for this. Read it again before deciding anew.',
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
    description: 'The commit could neither be confirmed nor ruled out.',
    cases: OUTCOME_UNKNOWN,
    retryable: false,
  }),
  'limit.exceeded': row<{ readonly quota: NonNullable<ErrorDetails['quota']> } & RetryAfter>({
    oauthError: null,
    rfc: null,
    http: { status: 429, header: 'Retry-After', error: 'temporarily_unavailable' },
    status: 'RESOURCE_EXHAUSTED',
    description: 'A limit is reached: {limit}. Repeat the call after the delay.',
    retryable: true,
  }),
})

export type ErrorCode = keyof typeof registry

/** The details a row demands: what a failure with this code must be given. */
export type DetailsOf<Code extends ErrorCode> = NonNullable<(typeof registry)[Code]['details']>
