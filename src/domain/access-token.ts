import type { JsonObject } from '../json-object.ts'
import type { CertificateThumbprint } from './certificate.ts'
import type { PrincipalStatus } from './grant.ts'
import type { ClientId, EpochMs, GrantId, SigningKeyId, TokenHash, TokenId, UserId } from './ids.ts'

/** More exchanges would hide who asked for what. */
export const MAX_ANCESTORS = 5

/** A stored access token: everything but its value. */
export interface AccessToken {
  readonly tokenId: TokenId
  readonly hash: TokenHash
  /** The client to which it was issued. */
  readonly clientId: ClientId
  /** The principal that it represents: the user's id or, without a user, a client's id. */
  readonly subject: string
  /** The user that it represents. `null` for client credentials and tokens exchanged for them. */
  readonly userId: UserId | null
  /** The token family; `null` for client credentials. */
  readonly grantId: GrantId | null
  readonly scopes: readonly string[]
  /** Empty: any recipient. */
  readonly audiences: readonly string[]
  /** The client's token generation at issue. */
  readonly clientGeneration: number
  /** The user's token generation at issue. `null` without a user. */
  readonly userGeneration: number | null
  /** The parties that act for the subject, the latest first (RFC 8693 §4.1). */
  readonly actors: readonly string[]
  /** The tokens from which it was exchanged, at most {@link MAX_ANCESTORS}. It is active only while all of them are. */
  readonly ancestors: readonly TokenId[]
  /** Claims beyond those above. The rule of a trusted issuer derived them from the assertion. `null`: none. */
  readonly extra: Readonly<JsonObject> | null
  /** The certificate that its bearer must present (`x5t#S256`, RFC 8705 §3). `null`: it is not bound to one. */
  readonly confirmation: CertificateThumbprint | null
  /** The key that signed it. `null`: the token is opaque. */
  readonly signingKeyId: SigningKeyId | null
  readonly issuedAt: EpochMs
  readonly expiresAt: EpochMs
  readonly revokedAt: EpochMs | null
  /** The call that issued it. */
  readonly rayId: string
}

/** A token with the status of everything it depends on, from one read. */
export interface AccessTokenStatus {
  readonly token: AccessToken
  readonly client: PrincipalStatus & {
    /** The client's registered scopes now. */
    readonly scopes: readonly string[]
  }
  /** `null` without a user. */
  readonly user: PrincipalStatus | null
  /** Whether its grant was revoked. `false` without a grant. */
  readonly grantRevoked: boolean
  /** Whether its signing key was revoked. `false` for an opaque token. */
  readonly signingKeyRevoked: boolean
}

/**
 * Whether a token would be accepted at this moment (RFC 7662 §2.2, `active`). Covers only the token itself: its ancestors
 * must be active, too.
 */
export function isActive(status: AccessTokenStatus, now: EpochMs): boolean {
  return whyInactive(status, now) === null
}

export type InactiveReason =
  | 'expired'
  | 'revoked'
  | 'grant_revoked'
  | 'signing_key_revoked'
  | 'client_disabled'
  | 'client_tokens_revoked'
  | 'user_deactivated'
  | 'user_tokens_revoked'

/** Everything that ends an access token, in the order of evaluation. This is the only list of these rules. */
const ENDS = {
  expired: ({ token }, now) => now >= token.expiresAt,
  revoked: ({ token }) => token.revokedAt !== null,
  grant_revoked: ({ grantRevoked }) => grantRevoked,
  signing_key_revoked: ({ signingKeyRevoked }) => signingKeyRevoked,
  client_disabled: ({ client }) => !client.active,
  client_tokens_revoked: ({ token, client }) => client.tokenGeneration !== token.clientGeneration,
  user_deactivated: ({ token, user }) => token.userGeneration !== null && !user?.active,
  user_tokens_revoked: ({ token, user }) =>
    token.userGeneration !== null && user?.tokenGeneration !== token.userGeneration,
} as const satisfies Record<InactiveReason, (status: AccessTokenStatus, now: EpochMs) => boolean>

/** The reasons for which an access token is inactive, in the order of evaluation. */
export const INACTIVE_REASONS: readonly InactiveReason[] = Object.freeze(Object.keys(ENDS) as InactiveReason[])

/**
 * The reason for which an access token is inactive. Only the server's log and authorized callers may see it (RFC 7662 §2.2).
 * `null`: it is active.
 */
export function whyInactive(status: AccessTokenStatus, now: EpochMs): InactiveReason | null {
  return INACTIVE_REASONS.find((reason) => ENDS[reason](status, now)) ?? null
}
