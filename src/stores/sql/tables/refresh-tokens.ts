import { type CompiledQuery, type Kysely, type Selectable, sql } from 'kysely'
import { clientId, epochMs, grantId, type TokenHash, type TokenId, tokenId, userId } from '../../../domain/ids.ts'
import type { RefreshToken, RefreshTokenStatus, Replay } from '../../../domain/refresh-token.ts'
import type { Span } from '../../../trace.ts'
import type { AccessTokenFilter } from '../../contract/access-tokens.ts'
import type { PageRequest } from '../../contract/context.ts'
import type { RefreshTokenReads } from '../../contract/refresh-tokens.ts'
import { hashKey } from '../core/hash-key.ts'
import { bytes, hash32, moment, momentOrNull } from '../core/rows.ts'
import { KeyedQuery } from '../core/sized-statements.ts'
import type { Database } from '../schema.ts'
import type { RefreshTokenTable } from '../token-schema.ts'
import { GRANT_STANDING, type GrantStatusRow, grantStatusOf } from './grants.ts'
import { grantIsActive, rowByRow } from './principal-status.ts'

type TokenRow = Omit<Selectable<RefreshTokenTable>, 'created_at' | 'created_by' | 'updated_at' | 'updated_by'> &
  GrantStatusRow

/** Looks tokens up by hash, each with its grant and how the grant's parties stand, in one statement. */
export function findRefreshTokens(
  db: Kysely<Database>,
): (hashes: readonly TokenHash[]) => Promise<ReadonlyMap<string, RefreshTokenStatus>> {
  const query = new KeyedQuery<TokenHash, TokenRow>((hashes) =>
    standings(db).where('oauth_refresh_tokens.token_hash', 'in', hashes).compile(),
  )
  return async (hashes) => keyed(await rowsOf(db, query.for(hashes)), ({ token }) => hashKey(token.hash))
}

/** The same by handle. */
export function findRefreshTokensById(
  db: Kysely<Database>,
): (ids: readonly TokenId[]) => Promise<ReadonlyMap<string, RefreshTokenStatus>> {
  const query = new KeyedQuery<TokenId, TokenRow>((ids) =>
    standings(db).where('oauth_refresh_tokens.token_id', 'in', ids).compile(),
  )
  return async (ids) => keyed(await rowsOf(db, query.for(ids)), ({ token }) => token.tokenId)
}

export function refreshTokenReads(
  db: Kysely<Database>,
  findByHash: (hash: TokenHash, span?: Span) => Promise<RefreshTokenStatus | null>,
  findById: (id: TokenId, span?: Span) => Promise<RefreshTokenStatus | null>,
): RefreshTokenReads {
  return {
    findByHash: ({ span }, hash) => findByHash(hash, span),
    findById: ({ span }, id) => findById(id, span),
    page: async (_ctx, filter, page) => {
      const rows = await standings(db)
        .innerJoin(pageIds(db, filter, page).as('page'), 'page.listed_id', 'oauth_refresh_tokens.token_id')
        .orderBy('oauth_refresh_tokens.token_id', 'desc')
        .execute()
      return rows.map(standingOf)
    },
  }
}

/** Walks the tokens in their order until the page is full. */
function pageIds(db: Kysely<Database>, filter: AccessTokenFilter, page: PageRequest<TokenId>) {
  const { clientId, userId, activeAt } = filter
  return db
    .selectFrom('oauth_refresh_tokens')
    .leftJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_refresh_tokens.grant_id')
    .leftJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_refresh_tokens.client_id')
    .leftJoin('oauth_users', 'oauth_users.user_id', 'oauth_refresh_tokens.user_id')
    .select('oauth_refresh_tokens.token_id as listed_id')
    .where('oauth_clients.deleted_at', 'is', null)
    .$if(clientId !== null, (query) => query.where('oauth_refresh_tokens.client_id', '=', clientId ?? ''))
    .$if(userId !== null, (query) => query.where('oauth_refresh_tokens.user_id', '=', userId ?? ''))
    .$if(activeAt !== null, (query) =>
      query
        .where('oauth_refresh_tokens.consumed_at', 'is', null)
        .where('oauth_refresh_tokens.expires_at', '>', activeAt ?? 0)
        .where(rowByRow(grantIsActive(activeAt ?? epochMs(0)))),
    )
    .$if(page.after !== null, (query) => query.where('oauth_refresh_tokens.token_id', '<', page.after ?? ''))
    .orderBy('oauth_refresh_tokens.token_id', 'desc')
    .limit(sql.lit(page.limit))
}

function standings(db: Kysely<Database>) {
  return db
    .selectFrom('oauth_refresh_tokens')
    .innerJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_refresh_tokens.grant_id')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_refresh_tokens.client_id')
    .innerJoin('oauth_users', 'oauth_users.user_id', 'oauth_refresh_tokens.user_id')
    .select([
      'oauth_refresh_tokens.token_id',
      'oauth_refresh_tokens.token_hash',
      'oauth_refresh_tokens.client_id',
      'oauth_refresh_tokens.user_id',
      'oauth_refresh_tokens.predecessor_id',
      'oauth_refresh_tokens.issued_at',
      'oauth_refresh_tokens.expires_at',
      'oauth_refresh_tokens.consumed_at',
      'oauth_refresh_tokens.successor_id',
      'oauth_refresh_tokens.replay_answer',
      'oauth_refresh_tokens.replay_until',
      'oauth_refresh_tokens.ray_id',
      ...GRANT_STANDING,
    ])
}

async function rowsOf(db: Kysely<Database>, query: CompiledQuery<TokenRow>): Promise<readonly TokenRow[]> {
  return (await db.executeQuery(query)).rows
}

function keyed(
  rows: readonly TokenRow[],
  nameOf: (standing: RefreshTokenStatus) => string,
): ReadonlyMap<string, RefreshTokenStatus> {
  return new Map(rows.map(standingOf).map((standing) => [nameOf(standing), standing]))
}

function standingOf(row: TokenRow): RefreshTokenStatus {
  const token: RefreshToken = Object.freeze({
    tokenId: tokenId(row.token_id),
    hash: hash32(row.token_hash, 'token_hash') as TokenHash,
    grantId: grantId(row.grant_id),
    clientId: clientId(row.client_id),
    userId: userId(row.user_id),
    predecessorId: row.predecessor_id === null ? null : tokenId(row.predecessor_id),
    issuedAt: moment(row.issued_at, 'issued_at'),
    expiresAt: moment(row.expires_at, 'expires_at'),
    consumedAt: momentOrNull(row.consumed_at, 'consumed_at'),
    successorId: row.successor_id === null ? null : tokenId(row.successor_id),
    replay: replayOf(row),
    rayId: row.ray_id,
  })
  return Object.freeze({ ...grantStatusOf(row), token })
}

function replayOf({ replay_answer, replay_until }: TokenRow): Replay | null {
  if (replay_answer === null || replay_until === null) return null
  return Object.freeze({ answer: bytes(replay_answer, 'replay_answer'), until: moment(replay_until, 'replay_until') })
}
