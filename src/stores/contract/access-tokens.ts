import type { AccessToken, AccessTokenStatus } from '../../domain/access-token.ts'
import type { ClientId, EpochMs, GrantId, TokenHash, TokenId, UserId } from '../../domain/ids.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface AccessTokenFilter {
  readonly clientId: ClientId | null
  readonly userId: UserId | null
  /** Keeps the tokens for which `isActive` holds at this moment, regardless of ancestors; `null`: all. */
  readonly activeAt: EpochMs | null
}

export interface AccessTokenReads {
  findByHash(ctx: StoreContext, hash: TokenHash): Promise<AccessTokenStatus | null>
  /** Batched like `findByHash`: checks of exchanged tokens look up their ancestors with it. */
  findById(ctx: StoreContext, tokenId: TokenId): Promise<AccessTokenStatus | null>
  /** Newest first, without those of deleted clients. */
  page(ctx: StoreContext, filter: AccessTokenFilter, page: PageRequest<TokenId>): Promise<readonly AccessTokenStatus[]>
  /** The number of a client's tokens that are unexpired at `ctx.now`, unrevoked and of its generation. Counts up to `most`. */
  countLive(ctx: StoreContext, clientId: ClientId, most: number): Promise<number>
}

export interface AccessTokenWrites {
  insert(token: AccessToken): Promise<void> | void
}

/** A token to be ended before its expiry. */
export type EndingToken = Pick<AccessToken, 'tokenId' | 'expiresAt'>

export interface AccessTokenStore extends AccessTokenReads, AccessTokenWrites {
  /** Of any number of concurrent calls, exactly one returns `true`; `false`: already revoked, or unknown. */
  revoke(token: EndingToken, reason: string, change: Change): Promise<boolean>
  /** The tokens of a grant's own client that are neither revoked nor expired, without exchanged ones, oldest first. */
  unexpiredOfGrant(ctx: StoreContext, grantId: GrantId): Promise<readonly EndingToken[]>
}
