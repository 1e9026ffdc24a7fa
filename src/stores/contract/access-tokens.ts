import type { AccessToken, AccessTokenStatus } from '../../domain/access-token.ts'
import type { ClientId, EpochMs, GrantId, TokenHash, TokenId, UserId } from '../../domain/ids.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface AccessTokenFilter {
  readonly clientId: ClientId | null
  readonly userId: UserId | null
  /** Keeps the tokens that `isActive` holds for at this moment, ancestors left aside; `null`: all. */
  readonly activeAt: EpochMs | null
}

export interface AccessTokenReads {
  findByHash(ctx: StoreContext, hash: TokenHash): Promise<AccessTokenStatus | null>
  /** Batched like `findByHash`: checks of exchanged tokens look their ancestors up by it. */
  findById(ctx: StoreContext, tokenId: TokenId): Promise<AccessTokenStatus | null>
  /** Newest first, those of deleted clients left out. */
  page(ctx: StoreContext, filter: AccessTokenFilter, page: PageRequest<TokenId>): Promise<readonly AccessTokenStatus[]>
  /** How many of a client are unexpired at `ctx.now`, unrevoked and of its generation; counted up to `most`. */
  countLive(ctx: StoreContext, clientId: ClientId, most: number): Promise<number>
}

export interface AccessTokenWrites {
  insert(token: AccessToken): Promise<void> | void
}

/** A token that is to end before its time. */
export type EndingToken = Pick<AccessToken, 'tokenId' | 'expiresAt'>

export interface AccessTokenStore extends AccessTokenReads, AccessTokenWrites {
  /** Of any number of concurrent calls, exactly one returns `true`; `false`: revoked already, or unknown. */
  revoke(token: EndingToken, reason: string, change: Change): Promise<boolean>
  /** The tokens of a grant's own client, exchanged ones left out, that are neither revoked nor expired, oldest first. */
  unexpiredOfGrant(ctx: StoreContext, grantId: GrantId): Promise<readonly EndingToken[]>
}
