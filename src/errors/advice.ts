import type { ErrorCode } from './registry.ts'

/** What docs/errors.md and the server's own page say of an error beyond its row of the registry. */
export interface ErrorAdvice {
  /** In which cases it is sent. */
  readonly when: string
  /** What it carries beside `ErrorInfo`, `RequestInfo` and `Help`, and in the metadata beside `oauth_error`. */
  readonly details: string
  /** What the caller does about it. */
  readonly advice: string
}

const NONE = 'nothing more'
const RETRY = '`RetryInfo`'

export const ERROR_ADVICE: Readonly<Record<ErrorCode, ErrorAdvice>> = {
  'oauth.invalid_request': {
    when: 'A field violates a limit of the contract; the call authenticates in two ways; a page token belongs to another list; a redirect URI is not registered; a code challenge is missing; or a subject or actor token is not accepted (RFC 8693 §2.2.2; the answer does not say why).',
    details: '`BadRequest`: the first 16 fields and what is wrong with each',
    advice:
      'Correct the request; repeating it unchanged fails again. If a page token is refused, start the list from its first page.',
  },
  'oauth.invalid_client': {
    when: 'The client could not be authenticated. The message says so if credentials are missing or malformed. An unknown id, a wrong or expired secret, a disabled client, a used or invalid assertion and a wrong certificate all get the same answer.',
    details: NONE,
    advice:
      'Check the id and the credentials, whether the secret was rotated, and whether the client is registered for this authentication method. `ClientService.ExplainMint` says whether the client may authenticate. The audit log has `client.authentication_failed` under the ray id. Do not repeat the call in a loop: failed attempts are rate limited.',
  },
  'oauth.invalid_grant': {
    when: 'A code, refresh token, device code or assertion is unknown, expired, already used, revoked or issued to another client; the redirect URI or the PKCE verifier does not match; or the user is not active. The answer does not say which.',
    details: NONE,
    advice:
      'Discard the code, token or assertion and start the grant again. If you did not expect this, look for `refresh_token.reused` and `authorization_code.reused` in the audit log: the grant family is revoked when a used token is presented again.',
  },
  'oauth.unauthorized_client': {
    when: 'The client is not registered for this grant type, or clients of its type may not make this call. For example, a public client may not introspect tokens.',
    details:
      '`metadata.grant_type`, if the client is not registered for it: the value of `grant_type` in RFC 6749, RFC 7523, RFC 8628 or RFC 8693',
    advice:
      'Ask the owner of the client to add the grant type (`ClientService.UpdateClient`), or use a registered one. `ClientService.ExplainMint` lists what else is missing.',
  },
  'oauth.unsupported_grant_type': {
    when: 'The grant is not enabled on this server. For example, no trusted issuer is configured.',
    details: NONE,
    advice: 'Use another grant, or ask the operator.',
  },
  'oauth.invalid_scope': {
    when: 'A scope is malformed; the client, the grant, the subject token or the rule for an assertion does not allow it; no granted scope is left; or the request asks for `qscope:` permissions in a grant that does not issue them.',
    details: '`metadata.rejected_scopes`: the scopes, separated by spaces',
    advice:
      'Request fewer scopes, or register the client for them. `ClientService.ExplainMint` lists the scopes that it may have.',
  },
  'oauth.invalid_target': {
    when: 'The client is not registered for an audience; the audience cannot be combined with the scopes; the resource server of the audience is disabled or deleted; or the client no longer has any audience of the grant.',
    details: '`metadata.rejected_audiences`: the audiences, separated by spaces',
    advice:
      'Request audiences that the client is registered for. A token with `qscope:` scopes is valid for this server only: mint it separately.',
  },
  'oauth.access_denied': { when: 'Never. The code is reserved by RFC 6749.', details: NONE, advice: 'None.' },
  'oauth.unsupported_response_type': {
    when: 'Never. The code is reserved by RFC 6749.',
    details: NONE,
    advice: 'None.',
  },
  'oauth.unsupported_token_type': {
    when: 'Never. The code is reserved by RFC 7009.',
    details: NONE,
    advice: 'None.',
  },
  'oauth.invalid_token': {
    when: 'The bearer token of a management call is missing, unknown, expired, revoked or malformed. In an answer of `VerifyToken`, this can also be the presented token.',
    details: '`metadata.token` is `presented` for the token to verify, and absent for the caller’s own token',
    advice:
      'If it is your own token, mint a new one and repeat the call. If it is the presented token, answer 401 to its sender; `TokenService.ExplainToken` says why it was refused.',
  },
  'oauth.insufficient_scope': {
    when: 'The bearer token lacks the permission of the method; the caller lacks a permission of the client that it changes; or, for `VerifyToken`, the presented token lacks a required scope.',
    details: '`metadata.required_scopes`: the scopes, separated by spaces',
    advice:
      'Mint a token with these scopes, from a client that is registered for them. A resource server answers 403 to its own caller.',
  },
  'oauth.server_error': {
    when: 'An unexpected error in the server, or a corrupt database.',
    details: NONE,
    advice:
      'Give the ray id to the operator, who can find the cause in the log with it. The change may have been written or not: repeat idempotent calls only.',
  },
  'oauth.temporarily_unavailable': {
    when: 'The server is overloaded, is shutting down or cannot reach its database; its clock differs too much from the database’s; or the keys of an issuer cannot be fetched. Nothing was written.',
    details: RETRY,
    advice:
      'Repeat the call after the delay, with backoff, on another instance if there is one. Every call is safe to repeat after this error.',
  },
  'oauth.device.authorization_pending': {
    when: 'The device polled before the user decided (RFC 8628 §3.5).',
    details: `${RETRY}: the interval`,
    advice: 'Poll again after the interval, or watch instead (`WatchDeviceAuthorization`).',
  },
  'oauth.device.slow_down': {
    when: 'The device polled before the interval was over. The interval is now 5 s longer.',
    details: `${RETRY}: the new interval`,
    advice: 'Poll at the new interval from now on.',
  },
  'oauth.device.expired_token': {
    when: 'The device code expired before the user decided, or before the device redeemed it.',
    details: NONE,
    advice: 'Start a new device authorization, if the user still wants one.',
  },
  'oauth.device.access_denied': {
    when: 'The user denied the request.',
    details: NONE,
    advice: 'Stop polling and tell the user.',
  },
  'registration.invalid_redirect_uri': {
    when: 'A redirect URI is relative, has a fragment, or has a scheme that is not allowed. Allowed are https, http on a loopback host, and private-use schemes in reverse-domain form.',
    details: '`BadRequest`: the index of each URI and what is wrong with it',
    advice: 'Correct the registration.',
  },
  'registration.invalid_client_metadata': {
    when: 'Fields of a registration contradict each other. Examples: a public client with client credentials, authorization codes without a redirect URI, keys with another method than `PRIVATE_KEY_JWT`, a resource audience of another client, a secret for a client that authenticates without one.',
    details: '`BadRequest`: the fields and what is wrong with each',
    advice: 'Correct the registration.',
  },
  'registration.client_identifier_conflict': {
    when: 'The client id is in use, or belonged to a deleted client.',
    details: '`ResourceInfo`: type `client` and the id',
    advice:
      'Choose another id. If an earlier answer of `RegisterClient` was lost, check with `GetClient` that the client is yours, then rotate its secret.',
  },
  'resource.not_found': {
    when: 'The client, user, token, grant, secret, key, event or pending user code does not exist.',
    details: '`ResourceInfo`: type and id',
    advice: 'Check the id. Deleted resources cannot be restored.',
  },
  'resource.conflict': {
    when: 'The etag is out of date; the opposite decision is recorded; another owner’s configuration manages the resource; the state of a signing key does not allow the call, or not yet; or too many calls change the resource at the same time.',
    details:
      '`RetryInfo` if the same call may succeed later; for signing keys `metadata.state` or `metadata.activate_after`',
    advice:
      'With `RetryInfo`, repeat the call after the delay. Otherwise read the resource again, then decide whether to repeat the call.',
  },
  'resource.outcome_unknown': {
    when: 'The connection to the database was lost during a commit, and the server could not find out whether the commit took effect.',
    details: '`metadata.safe_to_retry`: `true` or `false`; `RetryInfo` only with `true`',
    advice:
      'With `true`, repeat the call. With `false`, check first whether it took effect. A refresh may be repeated within its replay window. After a code or device code, start the grant again.',
  },
  'limit.exceeded': {
    when: 'A quota or rate limit was reached: for minting, failed authentications, live tokens, pending device authorizations, watches, user codes, secrets, signing keys or trusted issuers.',
    details: '`QuotaFailure`: the subject and the limit; `RetryInfo`',
    advice:
      'Repeat the call after the delay. If this happens often, reuse each token until shortly before it expires; see [limits.md](limits.md).',
  },
}
