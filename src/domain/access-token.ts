import type { JsonObject } from '../json-object.ts'
import type { CertificateThumbprint } from './certificate.ts'
import type { PrincipalStatus } from './grant.ts'
import type { ClientId, EpochMs, GrantId, SigningKeyId, TokenHash, TokenId, UserId } from './ids.ts'

/** Beyond this many exchanges nobody can tell any more who asked for what. */
export const MAX_ANCESTORS = 5

/** An access token as it is stored: everything but its value. */
export interface AccessToken {
  readonly tokenId: TokenId
  readonly hash: TokenHash
  /** The client it was issued to. */
  readonly clientId: ClientId
  /** Whom it speaks for: the user's id or, without a user, a client's. */
  readonly subject: string
  /** The user it speaks for; `null` for client credentials and what was exchanged for them. */
  readonly userId: UserId | null
  /** The token family; `null` for client credentials. */
  readonly grantId: GrantId | null
  readonly scopes: readonly string[]
  /** Empty: for anyone. */
  readonly audiences: readonly string[]
  /** The client's token generation when it was made. */
  readonly clientGeneration: number
  /** The user's; `null` without a user. */
  readonly userGeneration: number | null
  /** Who acts for the subject, the latest first (RFC 8693 §4.1). */
  readonly actors: readonly string[]
  /** The tokens it was exchanged from, at most {@link MAX_ANCESTORS}: it is active only while all of them are. */
  readonly ancestors: readonly TokenId[]
  /** Claims beyond those above, which the rule of a trusted issuer made of the assertion it was issued for; `null`: none. */
  readonly extra: Readonly<JsonObject> | null
  /** The certificate that its bearer must show (`x5t#S256`, RFC 8705 §3); `null`: it is bound to none. */
  readonly confirmation: CertificateThumbprint | null
  /** The key that signed it; `null`: it is opaque. */
  readonly signingKeyId: SigningKeyId | null
  readonly issuedAt: EpochMs
  readonly expiresAt: EpochMs
  readonly revokedAt: EpochMs | null
  /** The call that made it. */
  readonly rayId: string
}

/** A token together with the status of whom it depends on, read in one look. */
export interface AccessTokenStatus {
  readonly token: AccessToken
  readonly client: PrincipalStatus & {
    /** What the client is registered for now. */
    readonly scopes: readonly string[]
  }
  /** `null` without a user. */
  readonly user: PrincipalStatus | null
  /** Whether its grant was revoked; `false` without a grant. */
  readonly grantRevoked: boolean
  /** Whether the key that signed it was revoked; `false` for an opaque one. */
  readonly signingKeyRevoked: boolean
}

/**
 * Whether a token would be accepted at this moment (RFC 7662 §2.2, `active`), as
 * far as it depends on itself; its ancestors must be active too.
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

/** What ends an access token early or in time, in the order in which it is judged: the one list of these rules. */
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

/** Why an access token may not be active, in the order in which it is judged. */
export const INACTIVE_REASONS: readonly InactiveReason[] = Object.freeze(Object.keys(ENDS) as InactiveReason[])

/** Why an access token is not active: for the log of the server and who may know, not for other callers (RFC 7662 §2.2). `null`: it is. */
export function whyInactive(status: AccessTokenStatus, now: EpochMs): InactiveReason | null {
  return INACTIVE_REASONS.find((reason) => ENDS[reason](status, now)) ?? null
}
