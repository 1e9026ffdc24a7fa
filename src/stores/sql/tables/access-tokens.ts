import { type CompiledQuery, type Kysely, type Selectable, sql } from 'kysely'
import type { AccessTokenStatus } from '../../../domain/access-token.ts'
import { thumbprintOf } from '../../../domain/certificate.ts'
import { clientId, grantId, signingKeyId, type TokenHash, type TokenId, tokenId, userId } from '../../../domain/ids.ts'
import type { Span } from '../../../trace.ts'
import type { AccessTokenFilter, AccessTokenReads } from '../../contract/access-tokens.ts'
import type { PageRequest } from '../../contract/context.ts'
import type { StoredInt } from '../core/columns.ts'
import { hashKey } from '../core/hash-key.ts'
import { hash32, integer, integerOrNull, moment, momentOrNull, stringList, words } from '../core/rows.ts'
import { KeyedQuery } from '../core/sized-statements.ts'
import type { Database } from '../schema.ts'
import type { AccessTokenTable } from '../token-schema.ts'
import {
  CLIENT_STATUS,
  type ClientStatusRow,
  clientStatusOf,
  rowByRow,
  tokenPrincipalsAreActive,
  USER_STATUS,
  userStatusOf,
} from './principal-status.ts'

type TokenRow = Omit<
  Selectable<AccessTokenTable>,
  'revocation_reason' | 'created_at' | 'created_by' | 'updated_at' | 'updated_by'
>
interface StandingRow extends TokenRow, ClientStatusRow {
  readonly client_scopes: string
  /** Null without a user, as are the grant's without a grant. */
  readonly user_active: StoredInt | null
  readonly user_deleted_at: StoredInt | null
  readonly user_token_generation: StoredInt | null
  readonly grant_found: string | null
  readonly grant_revoked_at: StoredInt | null
  readonly signing_key_found: string | null
  readonly signing_key_revoked_at: StoredInt | null
}

/** Looks tokens up by hash, each with the standing of whom it depends on, in one statement. */
export function findAccessTokens(
  db: Kysely<Database>,
): (hashes: readonly TokenHash[]) => Promise<ReadonlyMap<string, AccessTokenStatus>> {
  const query = new KeyedQuery<TokenHash, StandingRow>((hashes) =>
    standings(db).where('oauth_access_tokens.token_hash', 'in', hashes).compile(),
  )
  return async (hashes) => keyed(await rowsOf(db, query.for(hashes)), ({ token }) => hashKey(token.hash))
}

/** The same by handle. */
export function findAccessTokensById(
  db: Kysely<Database>,
): (ids: readonly TokenId[]) => Promise<ReadonlyMap<string, AccessTokenStatus>> {
  const query = new KeyedQuery<TokenId, StandingRow>((ids) =>
    standings(db).where('oauth_access_tokens.token_id', 'in', ids).compile(),
  )
  return async (ids) => keyed(await rowsOf(db, query.for(ids)), ({ token }) => token.tokenId)
}

export function accessTokenReads(
  db: Kysely<Database>,
  findByHash: (hash: TokenHash, span?: Span) => Promise<AccessTokenStatus | null>,
  findById: (id: TokenId, span?: Span) => Promise<AccessTokenStatus | null>,
): AccessTokenReads {
  return {
    findByHash: ({ span }, hash) => findByHash(hash, span),
    findById: ({ span }, id) => findById(id, span),
    page: async (_ctx, filter, page) => {
      const rows = await standings(db)
        .innerJoin(pageIds(db, filter, page).as('page'), 'page.listed_id', 'oauth_access_tokens.token_id')
        .orderBy('oauth_access_tokens.token_id', 'desc')
        .execute()
      return rows.map(standingOf)
    },
    countLive: async (ctx, client, most) => {
      const live = db
        .selectFrom('oauth_access_tokens')
        .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_access_tokens.client_id')
        .select('oauth_access_tokens.token_id')
        .where('oauth_access_tokens.client_id', '=', client)
        .whereRef('oauth_access_tokens.client_generation', '=', 'oauth_clients.token_generation')
        .where('oauth_access_tokens.expires_at', '>', ctx.now)
        .where('oauth_access_tokens.revoked_at', 'is', null)
        .limit(sql.lit(most))
      const row = await db
        .selectFrom(live.as('live'))
        .select((rows) => rows.fn.countAll<number>().as('many'))
        .executeTakeFirstOrThrow()
      return integer(row.many, 'many')
    },
  }
}

/** Walks the tokens in their order until the page is full. */
function pageIds(db: Kysely<Database>, filter: AccessTokenFilter, page: PageRequest<TokenId>) {
  const { clientId, userId, activeAt } = filter
  return db
    .selectFrom('oauth_access_tokens')
    .leftJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_access_tokens.client_id')
    .leftJoin('oauth_users', 'oauth_users.user_id', 'oauth_access_tokens.user_id')
    .leftJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_access_tokens.grant_id')
    .leftJoin('oauth_signing_keys', 'oauth_signing_keys.key_id', 'oauth_access_tokens.signing_key_id')
    .select('oauth_access_tokens.token_id as listed_id')
    .where('oauth_clients.deleted_at', 'is', null)
    .$if(clientId !== null, (query) => query.where('oauth_access_tokens.client_id', '=', clientId ?? ''))
    .$if(userId !== null, (query) => query.where('oauth_access_tokens.user_id', '=', userId))
    .$if(activeAt !== null, (query) =>
      // What `isActive` says, in SQL.
      query
        .where('oauth_access_tokens.revoked_at', 'is', null)
        .where('oauth_access_tokens.expires_at', '>', activeAt ?? 0)
        .where(rowByRow(tokenPrincipalsAreActive())),
    )
    .$if(page.after !== null, (query) => query.where('oauth_access_tokens.token_id', '<', page.after ?? ''))
    .orderBy('oauth_access_tokens.token_id', 'desc')
    .limit(sql.lit(page.limit))
}

function standings(db: Kysely<Database>) {
  return db
    .selectFrom('oauth_access_tokens')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_access_tokens.client_id')
    .leftJoin('oauth_users', 'oauth_users.user_id', 'oauth_access_tokens.user_id')
    .leftJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_access_tokens.grant_id')
    .leftJoin('oauth_signing_keys', 'oauth_signing_keys.key_id', 'oauth_access_tokens.signing_key_id')
    .select([
      'oauth_access_tokens.token_id',
      'oauth_access_tokens.token_hash',
      'oauth_access_tokens.client_id',
      'oauth_access_tokens.subject',
      'oauth_access_tokens.user_id',
      'oauth_access_tokens.grant_id',
      'oauth_access_tokens.scopes',
      'oauth_access_tokens.audiences',
      'oauth_access_tokens.client_generation',
      'oauth_access_tokens.user_generation',
      'oauth_access_tokens.actors',
      'oauth_access_tokens.ancestors',
      'oauth_access_tokens.signing_key_id',
      'oauth_access_tokens.certificate_hash',
      'oauth_access_tokens.issued_at',
      'oauth_access_tokens.expires_at',
      'oauth_access_tokens.revoked_at',
      'oauth_access_tokens.ray_id',
      'oauth_clients.scopes as client_scopes',
      'oauth_grants.grant_id as grant_found',
      'oauth_grants.revoked_at as grant_revoked_at',
      'oauth_signing_keys.key_id as signing_key_found',
      'oauth_signing_keys.revoked_at as signing_key_revoked_at',
      ...CLIENT_STATUS,
      ...USER_STATUS,
    ])
}

async function rowsOf(db: Kysely<Database>, query: CompiledQuery<StandingRow>): Promise<readonly StandingRow[]> {
  return (await db.executeQuery(query)).rows
}

function keyed(
  rows: readonly StandingRow[],
  nameOf: (standing: AccessTokenStatus) => string,
): ReadonlyMap<string, AccessTokenStatus> {
  return new Map(rows.map(standingOf).map((standing) => [nameOf(standing), standing]))
}

function standingOf(row: StandingRow): AccessTokenStatus {
  const { user_active, user_deleted_at, user_token_generation } = row
  return Object.freeze({
    token: Object.freeze({
      tokenId: tokenId(row.token_id),
      hash: hash32(row.token_hash, 'token_hash') as TokenHash,
      clientId: clientId(row.client_id),
      subject: row.subject,
      userId: row.user_id === null ? null : userId(row.user_id),
      grantId: row.grant_id === null ? null : grantId(row.grant_id),
      scopes: words(row.scopes),
      audiences: stringList(row.audiences, 'audiences'),
      clientGeneration: integer(row.client_generation, 'client_generation'),
      userGeneration: integerOrNull(row.user_generation, 'user_generation'),
      actors: stringList(row.actors, 'actors'),
      ancestors: Object.freeze(stringList(row.ancestors, 'ancestors').map(tokenId)),
      signingKeyId: row.signing_key_id === null ? null : signingKeyId(row.signing_key_id),
      confirmation:
        row.certificate_hash === null ? null : thumbprintOf(hash32(row.certificate_hash, 'certificate_hash')),
      issuedAt: moment(row.issued_at, 'issued_at'),
      expiresAt: moment(row.expires_at, 'expires_at'),
      revokedAt: momentOrNull(row.revoked_at, 'revoked_at'),
      rayId: row.ray_id,
    }),
    client: Object.freeze({ ...clientStatusOf(row), scopes: words(row.client_scopes) }),
    user:
      user_active === null || user_token_generation === null
        ? null
        : userStatusOf({ user_active, user_deleted_at, user_token_generation }),
    // A grant that is gone was purged: nothing of it counts any more.
    grantRevoked: row.grant_id !== null && (row.grant_found === null || row.grant_revoked_at !== null),
    signingKeyRevoked:
      row.signing_key_id !== null && (row.signing_key_found === null || row.signing_key_revoked_at !== null),
  })
}
