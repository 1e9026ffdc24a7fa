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
  /** Newest first, those of deleted clients left out. */
  page(ctx: StoreContext, filter: GrantFilter, page: PageRequest<GrantId>): Promise<readonly GrantStatus[]>
}

export interface GrantFilter extends Pick<AccessTokenFilter, 'clientId' | 'userId'> {
  /** Keeps the grants that `isGrantActive` holds for at this moment; `null`: all. */
  readonly activeAt: EpochMs | null
}

/** A grant that is to end before its time. */
export type EndingGrant = Pick<Grant, 'grantId' | 'expiresAt'>

export interface GrantStore extends GrantReads {
  insert(grant: Grant): Promise<void>
  /** Ends the family. Of any number of concurrent calls, exactly one returns `true`; `false`: revoked already, or unknown. */
  revoke(grant: EndingGrant, reason: string, change: Change): Promise<boolean>
  /**
   * Takes the grant's row until the end of the transaction, like
   * `ClientStore.lock`, and lets it be kept at least until `tokensUntil`.
   * `false`: it is revoked, or unknown.
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
  /** Newest first, those of deleted clients left out; `activeAt` keeps the unspent, unexpired ones of active grants. */
  page(ctx: StoreContext, filter: AccessTokenFilter, page: PageRequest<TokenId>): Promise<readonly RefreshTokenStatus[]>
}

/** What a refresh token was exchanged for. */
export interface Rotation {
  readonly successorId: TokenId
  /** `null`: the client gets no second chance. */
  readonly replay: Replay | null
}

export interface RefreshTokenStore extends RefreshTokenReads {
  insert(token: RefreshToken): Promise<void>
  /** Spends a token. Of any number of concurrent calls, exactly one returns `true`. */
  consume(tokenId: TokenId, at: EpochMs, rotation: Rotation): Promise<boolean>
  /** Forgets the answer kept for a spent token. */
  eraseReplay(tokenId: TokenId): Promise<void>
  /**
   * The grants of a client (and, if given, one user) that have a refresh token
   * which can be spent at `ctx.now` or later, the one with the oldest first: those
   * of a disabled client or deactivated user count, for they may come back. Exact
   * while the client's row is taken.
   */
  spendableGrants(ctx: StoreContext, clientId: ClientId, userId: UserId | null): Promise<readonly EndingGrant[]>
}
