import type { AccessToken } from '../../domain/access-token.ts'
import type { EpochMs } from '../../domain/ids.ts'

/** RFC 8693 §4.1: the latest actor outside, who acted before it inside. */
interface Act {
  readonly sub: string
  readonly act?: Act
}

/**
 * What a JWT access token says (RFC 9068 §2.2). It expires on a whole second, for
 * every verifier when it does here; the second in which it was issued had begun.
 */
export function accessTokenClaims(token: Omit<AccessToken, 'hash'>, issuer: string): object {
  const { audiences, scopes, confirmation } = token
  const act = actOf(token.actors)
  return {
    iss: issuer,
    // §3: a token that was asked for no resource in particular is for the service that issued it.
    aud: audiences.length > 1 ? audiences : (audiences[0] ?? issuer),
    sub: token.subject,
    client_id: token.clientId,
    iat: seconds(token.issuedAt),
    exp: seconds(token.expiresAt),
    jti: token.tokenId,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(act !== undefined && { act }),
    ...(confirmation !== null && { cnf: { 'x5t#S256': confirmation } }),
  }
}

function actOf(latestFirst: readonly string[]): Act | undefined {
  return latestFirst.reduceRight<Act | undefined>(
    (inner, sub) => (inner === undefined ? { sub } : { sub, act: inner }),
    undefined,
  )
}

function seconds(moment: EpochMs): number {
  return Math.floor(moment / 1_000)
}
