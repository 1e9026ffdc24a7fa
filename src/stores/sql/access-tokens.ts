import { type Insertable, type Kysely, type Selectable, sql } from 'kysely'
import type { AccessToken, AccessTokenStanding } from '../../domain/access-token.ts'
import { clientId, epochMs, grantId, type TokenHash, tokenId, userId } from '../../domain/ids.ts'
import type { AccessTokenReads, AccessTokenStore } from '../contract.ts'
import { hashKey } from './hash-key.ts'
import { flag, hash32, integer, integerOrNull, stringList, words } from './rows.ts'
import type { AccessTokenTable, Database } from './schema.ts'
import { InsertStatements, KeyedQuery } from './sized-statements.ts'

type TokenRow = Omit<
  Selectable<AccessTokenTable>,
  'revocation_reason' | 'created_at' | 'created_by' | 'updated_at' | 'updated_by'
>
interface StandingRow extends TokenRow {
  readonly client_enabled: number | bigint | string
  readonly client_deleted_at: number | bigint | string | null
  readonly client_token_generation: number | bigint | string
  readonly client_scopes: string
}

/** Looks tokens up by hash, each with the standing of its client, in one statement. */
export function findStandings(
  db: Kysely<Database>,
): (hashes: readonly TokenHash[]) => Promise<ReadonlyMap<string, AccessTokenStanding>> {
  const query = new KeyedQuery<TokenHash, StandingRow>((hashes) =>
    standings(db).where('oauth_access_tokens.token_hash', 'in', hashes).compile(),
  )
  return async (hashes) => {
    const { rows } = await db.executeQuery(query.for(hashes))
    return new Map(rows.map(standingOf).map((standing) => [hashKey(standing.token.hash), standing]))
  }
}

export function accessTokenReads(
  db: Kysely<Database>,
  findByHash: (hash: TokenHash) => Promise<AccessTokenStanding | null>,
): AccessTokenReads {
  return {
    findByHash: (_ctx, hash) => findByHash(hash),
    findById: async (_ctx, id) => {
      const row = await standings(db).where('oauth_access_tokens.token_id', '=', id).executeTakeFirst()
      return row === undefined ? null : standingOf(row)
    },
    page: async (_ctx, filter, page) => {
      const rows = await standings(db)
        .where('oauth_clients.deleted_at', 'is', null)
        .$if(filter.clientId !== null, (query) =>
          query.where('oauth_access_tokens.client_id', '=', filter.clientId ?? ''),
        )
        .$if(filter.userId !== null, (query) => query.where('oauth_access_tokens.user_id', '=', filter.userId))
        .$if(filter.activeAt !== null, (query) =>
          // What `isActive` says, in SQL.
          query
            .where('oauth_access_tokens.revoked_at', 'is', null)
            .where('oauth_access_tokens.expires_at', '>', filter.activeAt ?? 0)
            .where('oauth_clients.enabled', '=', 1)
            .whereRef('oauth_clients.token_generation', '=', 'oauth_access_tokens.client_generation'),
        )
        .$if(page.after !== null, (query) => query.where('oauth_access_tokens.token_id', '<', page.after ?? ''))
        .orderBy('oauth_access_tokens.token_id', 'desc')
        .limit(sql.lit(page.limit))
        .execute()
      return rows.map(standingOf)
    },
  }
}

export function accessTokenWrites(db: Kysely<Database>): Omit<AccessTokenStore, keyof AccessTokenReads> {
  return {
    insert: async (token) => {
      await db.insertInto('oauth_access_tokens').values(accessTokenRow(token)).execute()
    },
    revoke: async (id, reason, { at, by }) => {
      const result = await db
        .updateTable('oauth_access_tokens')
        .set({ revoked_at: at, revocation_reason: reason, updated_at: at, updated_by: by })
        .where('token_id', '=', id)
        .where('revoked_at', 'is', null)
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
  }
}

export function accessTokenInserts(db: Kysely<Database>): InsertStatements<Insertable<AccessTokenTable>> {
  return new InsertStatements((rows) => db.insertInto('oauth_access_tokens').values(rows).compile())
}

export function accessTokenRow(token: AccessToken): Insertable<AccessTokenTable> {
  return {
    token_id: token.tokenId,
    token_hash: token.hash,
    client_id: token.clientId,
    user_id: token.userId,
    grant_id: token.grantId,
    scopes: token.scopes.join(' '),
    audiences: JSON.stringify(token.audiences),
    client_generation: token.clientGeneration,
    issued_at: token.issuedAt,
    expires_at: token.expiresAt,
    revoked_at: token.revokedAt,
    revocation_reason: null,
    ray_id: token.rayId,
    created_at: token.issuedAt,
    created_by: token.clientId,
    updated_at: null,
    updated_by: null,
  }
}

function standings(db: Kysely<Database>) {
  return db
    .selectFrom('oauth_access_tokens')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_access_tokens.client_id')
    .select([
      'oauth_access_tokens.token_id',
      'oauth_access_tokens.token_hash',
      'oauth_access_tokens.client_id',
      'oauth_access_tokens.user_id',
      'oauth_access_tokens.grant_id',
      'oauth_access_tokens.scopes',
      'oauth_access_tokens.audiences',
      'oauth_access_tokens.client_generation',
      'oauth_access_tokens.issued_at',
      'oauth_access_tokens.expires_at',
      'oauth_access_tokens.revoked_at',
      'oauth_access_tokens.ray_id',
      'oauth_clients.enabled as client_enabled',
      'oauth_clients.deleted_at as client_deleted_at',
      'oauth_clients.token_generation as client_token_generation',
      'oauth_clients.scopes as client_scopes',
    ])
}

function standingOf(row: StandingRow): AccessTokenStanding {
  const revokedAt = integerOrNull(row.revoked_at, 'revoked_at')
  return Object.freeze({
    token: Object.freeze({
      tokenId: tokenId(row.token_id),
      hash: hash32(row.token_hash, 'token_hash') as TokenHash,
      clientId: clientId(row.client_id),
      userId: row.user_id === null ? null : userId(row.user_id),
      grantId: row.grant_id === null ? null : grantId(row.grant_id),
      scopes: words(row.scopes),
      audiences: stringList(row.audiences, 'audiences'),
      clientGeneration: integer(row.client_generation, 'client_generation'),
      issuedAt: epochMs(integer(row.issued_at, 'issued_at')),
      expiresAt: epochMs(integer(row.expires_at, 'expires_at')),
      revokedAt: revokedAt === null ? null : epochMs(revokedAt),
      rayId: row.ray_id,
    }),
    client: Object.freeze({
      enabled: flag(row.client_enabled, 'enabled'),
      deleted: row.client_deleted_at !== null,
      tokenGeneration: integer(row.client_token_generation, 'token_generation'),
      scopes: words(row.client_scopes),
    }),
  })
}
