import type { QScopeError, Reason } from '@qscope/client'

/** What a program does about each reason. A reason that is new to the package does not compile until it stands here. */
const ADVICE = Object.freeze({
  OAUTH_INVALID_REQUEST: 'a bug of this program: fieldViolations names the field',
  OAUTH_INVALID_CLIENT: 'check the client id and secret',
  OAUTH_INVALID_GRANT: 'have the user log in again',
  OAUTH_UNAUTHORIZED_CLIENT: 'have the client registered for this grant',
  OAUTH_UNSUPPORTED_GRANT_TYPE: 'this server has the grant switched off',
  OAUTH_INVALID_SCOPE: 'ask for fewer scopes: metadata.rejected_scopes names those',
  OAUTH_INVALID_TARGET: 'ask for other audiences: metadata.rejected_audiences names those',
  OAUTH_ACCESS_DENIED: 'the user refused',
  OAUTH_UNSUPPORTED_RESPONSE_TYPE: 'never sent',
  OAUTH_UNSUPPORTED_TOKEN_TYPE: 'never sent',
  OAUTH_INVALID_TOKEN: 'get another token',
  OAUTH_INSUFFICIENT_SCOPE: 'get a token with metadata.required_scopes',
  OAUTH_SERVER_ERROR: 'give the ray id to whoever runs QScope',
  OAUTH_TEMPORARILY_UNAVAILABLE: 'try again after retryAfterMs',
  OAUTH_DEVICE_AUTHORIZATION_PENDING: 'poll again after retryAfterMs',
  OAUTH_DEVICE_SLOW_DOWN: 'poll again after retryAfterMs, and no faster from now on',
  OAUTH_DEVICE_EXPIRED_TOKEN: 'start the device authorization again',
  OAUTH_DEVICE_ACCESS_DENIED: 'the user refused',
  REGISTRATION_INVALID_REDIRECT_URI: 'register another redirect URI',
  REGISTRATION_INVALID_CLIENT_METADATA: 'register the client differently: fieldViolations names the field',
  REGISTRATION_CLIENT_IDENTIFIER_CONFLICT: 'choose another client id',
  RESOURCE_NOT_FOUND: 'there is no such thing',
  RESOURCE_CONFLICT: 'read again, and decide again',
  RESOURCE_OUTCOME_UNKNOWN: 'look whether it was done before doing it again',
  LIMIT_EXCEEDED: 'try again after retryAfterMs',
} as const satisfies Record<Reason, string>)

export function adviceOn({ reason, status }: QScopeError): string {
  return reason === null ? `QScope gave no reason, the transport says ${status}` : ADVICE[reason]
}
