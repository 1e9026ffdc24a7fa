import type { GrantStatus } from './grant.ts'
import type { ClientId, EpochMs, GrantId, TokenHash, TokenId, UserId } from './ids.ts'

/** The answer to a refresh, encrypted under the spent token's own value, for a client that lost it. */
export interface Replay {
  readonly answer: Buffer
  readonly until: EpochMs
}

/** A refresh token as it is stored: everything but its value. */
export interface RefreshToken {
  readonly tokenId: TokenId
  readonly hash: TokenHash
  readonly grantId: GrantId
  readonly clientId: ClientId
  readonly userId: UserId
  /** The one it succeeded; `null` for the first of a family. */
  readonly predecessorId: TokenId | null
  readonly issuedAt: EpochMs
  /** The end of its idle time. */
  readonly expiresAt: EpochMs
  readonly consumedAt: EpochMs | null
  /** What it was exchanged for; set when consumed. */
  readonly successorId: TokenId | null
  readonly replay: Replay | null
  readonly rayId: string
}

export interface RefreshTokenStatus extends GrantStatus {
  readonly token: RefreshToken
}
