import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt'
import type { StartDeviceAuthorizationResponse } from '../../../gen/qscope/v1/device_service_pb.ts'
import { type Actor, type IssuedToken, TokenUse } from '../../../gen/qscope/v1/token_pb.ts'
import type { IntrospectTokenResponse } from '../../../gen/qscope/v1/token_service_pb.ts'
import type { OAuthBody } from './form-call.ts'

/** RFC 6749 §5.1, RFC 8693 §2.2.1. Where no scope was granted there is none: an empty one has no spelling (§3.3). */
export function toTokenBody({ token }: { readonly token?: IssuedToken | undefined }): OAuthBody {
  if (token === undefined) throw new Error('an answer without a token')
  const { accessToken, tokenType, expiresIn, refreshToken, issuedTokenType, scopes } = token
  return {
    access_token: accessToken,
    ...(issuedTokenType !== undefined && { issued_token_type: issuedTokenType }),
    token_type: tokenType,
    expires_in: secondsOf(expiresIn),
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
  }
}

/** RFC 7662 §2.2. */
export function toIntrospectionBody({ active, claims }: IntrospectTokenResponse): OAuthBody {
  if (!active || claims === undefined) return { active: false }
  const { actor, confirmation, audiences, scopes } = claims
  const [audience] = audiences
  return {
    active: true,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    client_id: claims.clientId,
    // Of a refresh token there is no type in the sense of RFC 6749 §5.1.
    ...(claims.tokenUse === TokenUse.ACCESS && { token_type: 'Bearer' }),
    exp: epochSecondsOf(claims.expireTime),
    iat: epochSecondsOf(claims.issueTime),
    sub: claims.subject,
    ...(audience !== undefined && { aud: audiences.length === 1 ? audience : audiences }),
    iss: claims.issuer,
    jti: claims.tokenId,
    ...(actor !== undefined && { act: toActBody(actor) }),
    // RFC 8705 §3.2.
    ...(confirmation !== undefined && { cnf: { 'x5t#S256': confirmation.x5tS256 } }),
  }
}

/** RFC 8693 §4.1: the latest actor outside. */
function toActBody({ subject, actor }: Actor): object {
  return actor === undefined ? { sub: subject } : { sub: subject, act: toActBody(actor) }
}

/** RFC 8628 §3.2. */
export function toDeviceAuthorizationBody(started: StartDeviceAuthorizationResponse): OAuthBody {
  return {
    device_code: started.deviceCode,
    user_code: started.userCode,
    verification_uri: started.verificationUri,
    verification_uri_complete: started.verificationUriComplete,
    expires_in: secondsOf(started.expiresIn),
    interval: secondsOf(started.interval),
  }
}

/** Whole seconds that are left. */
function secondsOf(span: Duration | undefined): number {
  return Number(span?.seconds ?? 0n)
}

function epochSecondsOf(time: Timestamp | undefined): number {
  return Number(time?.seconds ?? 0n)
}
