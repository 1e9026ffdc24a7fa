import type { Duration } from '@bufbuild/protobuf/wkt'
import type { StartDeviceAuthorizationResponse } from '../../../gen/qscope/v1/device_service_pb.ts'
import type { IssuedToken } from '../../../gen/qscope/v1/token_pb.ts'
import type { IntrospectTokenResponse } from '../../../gen/qscope/v1/token_service_pb.ts'
import { toIntrospection } from '../../../rpc/convert/introspection.ts'
import { type Answer, jsonAnswer } from '../exchange/answer.ts'

/** RFC 9701 §4. */
export const SIGNED_INTROSPECTION = 'application/token-introspection+jwt'

/** RFC 6749 §5.1, RFC 8693 §2.2.1. The answer has no `scope` if no scope was granted: an empty scope has no syntax (§3.3). */
export function tokenAnswer({ token }: { readonly token?: IssuedToken | undefined }): Answer {
  if (token === undefined) throw new Error('an answer without a token')
  const { accessToken, tokenType, expiresIn, refreshToken, issuedTokenType, scopes } = token
  return jsonAnswer(200, {
    access_token: accessToken,
    ...(issuedTokenType !== undefined && { issued_token_type: issuedTokenType }),
    token_type: tokenType,
    expires_in: secondsOf(expiresIn),
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
  })
}

/** RFC 7662 §2.2, or a JWT if the caller asked for it (RFC 9701 §5). */
export function introspectionAnswer(response: IntrospectTokenResponse): Answer {
  const { signedIntrospection } = response
  return signedIntrospection === undefined
    ? jsonAnswer(200, toIntrospection(response))
    : { status: 200, contentType: SIGNED_INTROSPECTION, body: signedIntrospection }
}

/** RFC 8628 §3.2. */
export function deviceAuthorizationAnswer(started: StartDeviceAuthorizationResponse): Answer {
  return jsonAnswer(200, {
    device_code: started.deviceCode,
    user_code: started.userCode,
    verification_uri: started.verificationUri,
    verification_uri_complete: started.verificationUriComplete,
    expires_in: secondsOf(started.expiresIn),
    interval: secondsOf(started.interval),
  })
}

/** The remaining time in whole seconds. */
function secondsOf(span: Duration | undefined): number {
  return Number(span?.seconds ?? 0n)
}
