import type {
  AuthorizationCode,
  AuthorizationCodeStatus,
  Grant,
  GrantStatus,
  RefreshToken,
  RefreshTokenStatus,
  Replay,
} from '../../domain/grant.ts'
import type { AuthorizationCodeId, ClientId, EpochMs, GrantId, TokenHash, TokenId, UserId } from '../../domain/ids.ts'
import type { AccessTokenFilter } from './access-tokens.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface GrantReads {
  find(ctx: StoreContext, grantId: GrantId): Promise<GrantStatus | null>
  /** Newest first, without those of deleted clients. */
  page(ctx: StoreContext, filter: GrantFilter, page: PageRequest<GrantId>): Promise<readonly GrantStatus[]>
}

export interface GrantFilter extends Pick<AccessTokenFilter, 'clientId' | 'userId'> {
  /** Keeps the grants for which `isGrantActive` holds at this moment; `null`: all. */
  readonly activeAt: EpochMs | null
}

/** A grant to be ended before its expiry. */
export type EndingGrant = Pick<Grant, 'grantId' | 'expiresAt'>

export interface GrantStore extends GrantReads {
  insert(grant: Grant): Promise<void>
  /** Ends the token family. Of any number of concurrent calls, exactly one returns `true`; `false`: already revoked, or unknown. */
  revoke(grant: EndingGrant, reason: string, change: Change): Promise<boolean>
  /**
   * Locks the grant's row until the end of the transaction, like `ClientStore.lock`, and keeps the grant at least until
   * `tokensUntil`. `false`: it is revoked, or unknown.
   */
  lock(grantId: GrantId, tokensUntil: EpochMs): Promise<boolean>
}

export interface AuthorizationCodeReads {
  findByHash(ctx: StoreContext, hash: TokenHash): Promise<AuthorizationCodeStatus | null>
}

export interface AuthorizationCodeStore extends AuthorizationCodeReads {
  insert(code: AuthorizationCode): Promise<void>
  /** Spends a code. Of any number of concurrent calls, exactly one returns `true`. */
  consume(codeId: AuthorizationCodeId, at: EpochMs): Promise<boolean>
}

export interface RefreshTokenReads {
  findByHash(ctx: StoreContext, hash: TokenHash): Promise<RefreshTokenStatus | null>
  findById(ctx: StoreContext, tokenId: TokenId): Promise<RefreshTokenStatus | null>
  /** Newest first, without those of deleted clients. `activeAt` keeps the unspent, unexpired tokens of active grants. */
  page(ctx: StoreContext, filter: AccessTokenFilter, page: PageRequest<TokenId>): Promise<readonly RefreshTokenStatus[]>
}

/** The exchange of a refresh token. */
export interface Rotation {
  readonly successorId: TokenId
  /** The stored answer for a repeated request; `null`: the client cannot repeat the exchange. */
  readonly replay: Replay | null
}

export interface RefreshTokenStore extends RefreshTokenReads {
  insert(token: RefreshToken): Promise<void>
  /** Spends a token. Of any number of concurrent calls, exactly one returns `true`. */
  consume(tokenId: TokenId, at: EpochMs, rotation: Rotation): Promise<boolean>
  /** Deletes the stored answer of a spent token. */
  eraseReplay(tokenId: TokenId): Promise<void>
  /**
   * The grants of a client (and, if given, of one user) with a refresh token that can be spent at `ctx.now` or later. The
   * grant with the oldest such token comes first. Grants of a disabled client or deactivated user count, because these may be
   * enabled again. Exact while the client's row is locked.
   */
  spendableGrants(ctx: StoreContext, clientId: ClientId, userId: UserId | null): Promise<readonly EndingGrant[]>
}
