import type { ClientId, EpochMs, GrantId, TokenHash, TokenId, UserId } from './ids.ts'

/** An access token as it is stored: everything but its value. */
export interface AccessToken {
  readonly tokenId: TokenId
  readonly hash: TokenHash
  readonly clientId: ClientId
  /** The user it speaks for; `null` for client credentials. */
  readonly userId: UserId | null
  /** The token family; `null` for client credentials. */
  readonly grantId: GrantId | null
  readonly scopes: readonly string[]
  /** Empty: for anyone. */
  readonly audiences: readonly string[]
  /** The client's token generation when it was made. */
  readonly clientGeneration: number
  readonly issuedAt: EpochMs
  readonly expiresAt: EpochMs
  readonly revokedAt: EpochMs | null
  /** The call that made it. */
  readonly rayId: string
}

/** A token together with the standing of whom it depends on, read in one look. */
export interface AccessTokenStanding {
  readonly token: AccessToken
  readonly client: {
    readonly enabled: boolean
    readonly deleted: boolean
    readonly tokenGeneration: number
    /** What the client is registered for now. */
    readonly scopes: readonly string[]
  }
}

/** Whether a token would be accepted at this moment (RFC 7662 §2.2, `active`). */
export function isActive({ token, client }: AccessTokenStanding, now: EpochMs): boolean {
  return (
    token.revokedAt === null &&
    now < token.expiresAt &&
    client.enabled &&
    !client.deleted &&
    client.tokenGeneration === token.clientGeneration
  )
}
