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
    when: 'A field breaks a bound of the contract, two ways to authenticate are used at once, a page token belongs to another list, a redirect URI is not registered, a code challenge is missing, or a subject or actor token is not acceptable (RFC 8693 §2.2.2; it is not said why).',
    details: '`BadRequest` names each field and what is wrong with it; the first 16',
    advice: 'Correct the request; the same one fails again. A page token that is refused: begin the list anew.',
  },
  'oauth.invalid_client': {
    when: 'The client could not be authenticated: no credentials, an unknown id, a wrong or expired secret, a disabled client, an assertion that is used or does not fit, a certificate that is not the client’s. All look the same.',
    details: NONE,
    advice:
      'Check id and credentials, whether the secret was rotated, and whether the client is registered for this way of authenticating; `ClientService.ExplainMint` tells whether it would be let in. The audit log has `client.authentication_failed` under the ray id. Do not repeat it in a loop: failures are limited.',
  },
  'oauth.invalid_grant': {
    when: 'A code, refresh token, device code or assertion is unknown, expired, spent, revoked or another client’s; the redirect URI or the PKCE verifier is not the right one; the user is not active. It is not said which.',
    details: NONE,
    advice:
      'Drop what was presented and have the user begin again. Where this was unexpected, look for `refresh_token.reused` and `authorization_code.reused` in the audit log: the family may have been revoked because two parties held one token.',
  },
  'oauth.unauthorized_client': {
    when: 'The client is not registered for this grant, or the call is not for clients of its kind: public clients introspect nothing.',
    details: NONE,
    advice:
      'Have its owner register the grant (`ClientService.UpdateClient`), or use one that it has. `ClientService.ExplainMint` tells what else is missing.',
  },
  'oauth.unsupported_grant_type': {
    when: 'The grant is switched off on this server: no trusted issuer is configured, for example.',
    details: NONE,
    advice: 'Use another grant, or ask the operator.',
  },
  'oauth.invalid_scope': {
    when: 'A scope is malformed, or beyond what the client, the grant, the subject token or the rule for an assertion allows; none is left of those that were granted; or the request asks for `qscope:` permissions where they are not issued.',
    details: '`metadata.rejected_scopes`, separated by spaces',
    advice:
      'Ask for fewer scopes, or have the client registered for them. `ClientService.ExplainMint` tells what it may have.',
  },
  'oauth.invalid_target': {
    when: 'An audience is not among the client’s, does not go with the scopes, or the client that answers for it is disabled or was deleted; or the client has lost all audiences of the grant.',
    details: '`metadata.rejected_audiences`, separated by spaces',
    advice: 'Ask for registered audiences. A token with `qscope:` scopes is for this server alone: mint it separately.',
  },
  'oauth.access_denied': { when: 'Never: reserved for a code of RFC 6749.', details: NONE, advice: 'Nothing.' },
  'oauth.unsupported_response_type': {
    when: 'Never: reserved for a code of RFC 6749.',
    details: NONE,
    advice: 'Nothing.',
  },
  'oauth.unsupported_token_type': {
    when: 'Never: reserved for a code of RFC 7009.',
    details: NONE,
    advice: 'Nothing.',
  },
  'oauth.invalid_token': {
    when: 'The bearer token of a management call is missing, unknown, expired, revoked or malformed; or, for `VerifyToken`, the token that was presented is.',
    details: '`metadata.token` = `presented` if it is the token to be verified; absent if it is the caller’s own',
    advice:
      'The caller’s own: mint another one and repeat the call. The presented one: answer 401 to whoever sent it; `TokenService.ExplainToken` tells why.',
  },
  'oauth.insufficient_scope': {
    when: 'The bearer token lacks the permission of the method, the caller lacks a permission that the client it changes has, or, for `VerifyToken`, the presented token lacks a required scope.',
    details: '`metadata.required_scopes`, separated by spaces',
    advice:
      'Mint a token with the scopes that are named, from a client that is registered for them. A resource server answers 403.',
  },
  'oauth.server_error': {
    when: 'An accident: something that should not happen did, or the database is corrupt.',
    details: NONE,
    advice:
      'Give the ray id to the operator: the log has the cause under it. Nothing is known of what was written; repeat only calls that are idempotent.',
  },
  'oauth.temporarily_unavailable': {
    when: 'The server is draining, overloaded, or without its database; or an issuer’s keys cannot be fetched. Nothing was written.',
    details: RETRY,
    advice:
      'Repeat the call after the delay, with backoff, on another instance if there is one. Any call may be repeated.',
  },
  'oauth.device.authorization_pending': {
    when: 'The device polls, and the user has not decided (RFC 8628 §3.5).',
    details: `${RETRY}: the interval`,
    advice: 'Poll again after the interval, or watch instead (`WatchDeviceAuthorization`).',
  },
  'oauth.device.slow_down': {
    when: 'The device polled before the interval was over; the interval has grown by 5 s for good.',
    details: `${RETRY}: the new interval`,
    advice: 'Poll at the new pace from now on.',
  },
  'oauth.device.expired_token': {
    when: 'The device code ran out before the user decided, or before it was redeemed.',
    details: NONE,
    advice: 'Start a new device authorization, if the user still wants one.',
  },
  'oauth.device.access_denied': {
    when: 'The user refused.',
    details: NONE,
    advice: 'Stop polling and tell the user.',
  },
  'registration.invalid_redirect_uri': {
    when: 'A redirect URI is relative, has a fragment, or is neither https, nor http on a loopback host, nor of a private-use scheme in reverse-domain form.',
    details: '`BadRequest` names each URI’s place and what is wrong',
    advice: 'Correct the registration.',
  },
  'registration.invalid_client_metadata': {
    when: 'Parts of a registration contradict each other: a public client with client credentials, an authorization code without a redirect URI, keys with another method than `PRIVATE_KEY_JWT`, an audience that another client answers for, secrets for a client that has none.',
    details: '`BadRequest` names the fields',
    advice: 'Correct the registration.',
  },
  'registration.client_identifier_conflict': {
    when: 'The client id is taken, or belonged to a client that was deleted.',
    details: '`ResourceInfo`: `client` and the id',
    advice:
      'Choose another id. After a lost answer of `RegisterClient`: `GetClient` tells whether it is yours, then rotate its secret.',
  },
  'resource.not_found': {
    when: 'There is no such client, user, token, grant, secret, key, event or live user code.',
    details: '`ResourceInfo`: its kind and its name',
    advice: 'Check the id. Deleted things do not come back.',
  },
  'resource.conflict': {
    when: 'The etag is not the current one, the opposite decision was recorded, a key is not in a state for this or must wait, or a write was too contended.',
    details:
      '`RetryInfo` where the same call may succeed later; for signing keys `metadata.state` or `metadata.activate_after`',
    advice: 'Read the resource again and decide anew. With `RetryInfo`, the same call may be repeated after the delay.',
  },
  'resource.outcome_unknown': {
    when: 'The connection to the database was lost during a commit, and it could not be read back whether it stands.',
    details: '`metadata.safe_to_retry`: `true` or `false`; `RetryInfo` only with `true`',
    advice:
      'With `true`, repeat the call. With `false`, look first whether it took effect; a refresh may be repeated within its replay window, a code or device code begins again.',
  },
  'limit.exceeded': {
    when: 'A cap or a rate limit is reached: minting, failed authentications, live tokens, pending device authorizations, watches, user codes, secrets, signing keys.',
    details: '`QuotaFailure`: whose limit and which; `RetryInfo`',
    advice:
      'Repeat the call after the delay. If it comes often, see [limits.md](limits.md): reuse tokens until shortly before they expire.',
  },
}
