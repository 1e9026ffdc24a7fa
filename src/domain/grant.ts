import type { AuthorizationCodeId, ClientId, EpochMs, GrantId, TokenHash, TokenId, UserId } from './ids.ts'

/** A user's consent, and the family of all that was issued on it. Revoking it is one row, which every check joins. */
export interface Grant {
  readonly grantId: GrantId
  readonly clientId: ClientId
  readonly userId: UserId
  /** What was consented to. */
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  /** The client's token generation when it was made. */
  readonly clientGeneration: number
  readonly userGeneration: number
  readonly createdAt: EpochMs
  readonly createdBy: string
  /** The absolute end, however often it is refreshed. */
  readonly expiresAt: EpochMs
  /** When the last of its codes and tokens expires; spent ones are kept until then, so that reuse is seen. */
  readonly tokensUntil: EpochMs
  readonly revokedAt: EpochMs | null
  readonly rayId: string
}

/** What can end everything of a client or a user at once. */
export interface PrincipalStatus {
  /** Enabled or active, and not deleted. */
  readonly active: boolean
  readonly tokenGeneration: number
}

/** A grant together with the status of its client and its user, read in one look. */
export interface GrantStatus {
  readonly grant: Grant
  readonly client: PrincipalStatus
  readonly user: PrincipalStatus
}

/** Whether what was issued on a grant can still count. */
export function isGrantActive(status: GrantStatus, now: EpochMs): boolean {
  return whyGrantInactive(status, now) === null
}

export type GrantInactiveReason =
  | 'grant_revoked'
  | 'grant_expired'
  | 'client_disabled'
  | 'client_tokens_revoked'
  | 'user_deactivated'
  | 'user_tokens_revoked'

/** What ends all that was issued on a grant, in the order in which it is judged. */
const ENDS = {
  grant_revoked: ({ grant }) => grant.revokedAt !== null,
  grant_expired: ({ grant }, now) => now >= grant.expiresAt,
  client_disabled: ({ client }) => !client.active,
  client_tokens_revoked: ({ grant, client }) => client.tokenGeneration !== grant.clientGeneration,
  user_deactivated: ({ user }) => !user.active,
  user_tokens_revoked: ({ grant, user }) => user.tokenGeneration !== grant.userGeneration,
} as const satisfies Record<GrantInactiveReason, (status: GrantStatus, now: EpochMs) => boolean>

/** Why a grant may not count, in the order in which it is judged. */
export const GRANT_INACTIVE_REASONS: readonly GrantInactiveReason[] = Object.freeze(
  Object.keys(ENDS) as GrantInactiveReason[],
)

/** Why nothing that was issued on a grant counts any more, for the log of the server and who may know; `null`: it can count. */
export function whyGrantInactive(status: GrantStatus, now: EpochMs): GrantInactiveReason | null {
  return GRANT_INACTIVE_REASONS.find((reason) => ENDS[reason](status, now)) ?? null
}

/** A principal is active, and nothing of it was revoked since the given generation. */
export function isPrincipalActive(principal: PrincipalStatus, generation: number): boolean {
  return principal.active && principal.tokenGeneration === generation
}

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
