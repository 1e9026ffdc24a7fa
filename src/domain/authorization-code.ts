import type { GrantStatus } from './grant.ts'
import type { AuthorizationCodeId, EpochMs, GrantId, TokenHash } from './ids.ts'

/** An authorization code as it is stored (RFC 6749 §4.1.2): everything but its value. */
export interface AuthorizationCode {
  readonly codeId: AuthorizationCodeId
  readonly hash: TokenHash
  /** The consent it stands for. */
  readonly grantId: GrantId
  readonly redirectUri: string
  /** S256 (RFC 7636 §4.2); `null` if the client made none. */
  readonly codeChallenge: string | null
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly expiresAt: EpochMs
  readonly consumedAt: EpochMs | null
  readonly rayId: string
}

export interface AuthorizationCodeStatus extends GrantStatus {
  readonly code: AuthorizationCode
}
