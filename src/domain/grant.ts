import type { AuthorizationCodeId, ClientId, EpochMs, GrantId, TokenHash, TokenId, UserId } from './ids.ts'

/** A user's consent and the family of all that was issued for it. A revocation writes one row, which every check joins. */
export interface Grant {
  readonly grantId: GrantId
  readonly clientId: ClientId
  readonly userId: UserId
  /** The scopes of the consent. */
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  /** The client's token generation at the consent. */
  readonly clientGeneration: number
  readonly userGeneration: number
  readonly createdAt: EpochMs
  readonly createdBy: string
  /** The absolute end. Refreshing does not extend it. */
  readonly expiresAt: EpochMs
  /** When the last of its codes and tokens expires. Spent ones are kept until then to detect reuse. */
  readonly tokensUntil: EpochMs
  readonly revokedAt: EpochMs | null
  readonly rayId: string
}

/** What ends everything of a client or a user at once. */
export interface PrincipalStatus {
  /** Enabled or active, and not deleted. */
  readonly active: boolean
  readonly tokenGeneration: number
}

/** A grant with the status of its client and its user, from one read. */
export interface GrantStatus {
  readonly grant: Grant
  readonly client: PrincipalStatus
  readonly user: PrincipalStatus
}

/** Whether codes and tokens of a grant can still be active. */
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

/** Everything that ends the codes and tokens of a grant, in the order of evaluation. */
const ENDS = {
  grant_revoked: ({ grant }) => grant.revokedAt !== null,
  grant_expired: ({ grant }, now) => now >= grant.expiresAt,
  client_disabled: ({ client }) => !client.active,
  client_tokens_revoked: ({ grant, client }) => client.tokenGeneration !== grant.clientGeneration,
  user_deactivated: ({ user }) => !user.active,
  user_tokens_revoked: ({ grant, user }) => user.tokenGeneration !== grant.userGeneration,
} as const satisfies Record<GrantInactiveReason, (status: GrantStatus, now: EpochMs) => boolean>

/** The reasons for which a grant is inactive, in the order of evaluation. */
export const GRANT_INACTIVE_REASONS: readonly GrantInactiveReason[] = Object.freeze(
  Object.keys(ENDS) as GrantInactiveReason[],
)

/** The reason for which a grant is inactive. Only the server's log and authorized callers may see it. `null`: it is active. */
export function whyGrantInactive(status: GrantStatus, now: EpochMs): GrantInactiveReason | null {
  return GRANT_INACTIVE_REASONS.find((reason) => ENDS[reason](status, now)) ?? null
}

/** Whether a principal is active and its generation is still the given one. */
export function isPrincipalActive(principal: PrincipalStatus, generation: number): boolean {
  return principal.active && principal.tokenGeneration === generation
}

/** A stored authorization code (RFC 6749 §4.1.2): everything but its value. */
export interface AuthorizationCode {
  readonly codeId: AuthorizationCodeId
  readonly hash: TokenHash
  /** The consent that it represents. */
  readonly grantId: GrantId
  readonly redirectUri: string
  /** S256 (RFC 7636 §4.2). `null`: the client sent none. */
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

/** The answer to a refresh, encrypted under the value of the spent token, for a client that did not receive it. */
export interface Replay {
  readonly answer: Buffer
  readonly until: EpochMs
}

/** A stored refresh token: everything but its value. */
export interface RefreshToken {
  readonly tokenId: TokenId
  readonly hash: TokenHash
  readonly grantId: GrantId
  readonly clientId: ClientId
  readonly userId: UserId
  /** The token that it replaced. `null` for the first of a family. */
  readonly predecessorId: TokenId | null
  readonly issuedAt: EpochMs
  /** The end of its idle time. */
  readonly expiresAt: EpochMs
  readonly consumedAt: EpochMs | null
  /** The token that replaced it. Set when it is consumed. */
  readonly successorId: TokenId | null
  readonly replay: Replay | null
  readonly rayId: string
}

export interface RefreshTokenStatus extends GrantStatus {
  readonly token: RefreshToken
}
