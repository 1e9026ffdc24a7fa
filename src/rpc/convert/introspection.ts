import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { type Actor, TokenUse } from '../../gen/qscope/v1/token_pb.ts'
import type { IntrospectTokenResponse } from '../../gen/qscope/v1/token_service_pb.ts'

/** The introspection response of a token (RFC 7662 §2.2). */
export function toIntrospection({ active, claims }: IntrospectTokenResponse): object {
  if (!active || claims === undefined) return { active: false }
  const { actor, confirmation, audiences, scopes } = claims
  const [audience] = audiences
  return {
    // §2.2: members of this server's own choice. Those of the RFC count: none of these has the name of one.
    ...claims.extra,
    active: true,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    client_id: claims.clientId,
    // A refresh token has no token type (RFC 6749 §5.1).
    ...(claims.tokenUse === TokenUse.ACCESS && { token_type: 'Bearer' }),
    exp: epochSecondsOf(claims.expireTime),
    iat: epochSecondsOf(claims.issueTime),
    sub: claims.subject,
    ...(audience !== undefined && { aud: audiences.length === 1 ? audience : audiences }),
    iss: claims.issuer,
    jti: claims.tokenId,
    ...(actor !== undefined && { act: toAct(actor) }),
    // RFC 8705 §3.2.
    ...(confirmation !== undefined && { cnf: { 'x5t#S256': confirmation.x5tS256 } }),
  }
}

/** RFC 8693 §4.1: the latest actor outside. */
function toAct({ subject, actor }: Actor): object {
  return actor === undefined ? { sub: subject } : { sub: subject, act: toAct(actor) }
}

function epochSecondsOf(time: Timestamp | undefined): number {
  return Number(time?.seconds ?? 0n)
}
