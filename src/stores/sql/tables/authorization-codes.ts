import { type Kysely, type Selectable, sql } from 'kysely'
import type { AuthorizationCodeStatus } from '../../../domain/authorization-code.ts'
import { authorizationCodeId, grantId, type TokenHash } from '../../../domain/ids.ts'
import type { Span } from '../../../trace.ts'
import type { AuthorizationCodeReads, AuthorizationCodeStore } from '../../contract/authorization-codes.ts'
import { hashKey } from '../core/hash-key.ts'
import { hash32, moment, momentOrNull } from '../core/rows.ts'
import { KeyedQuery } from '../core/sized-statements.ts'
import type { Database } from '../schema.ts'
import type { AuthorizationCodeTable } from '../token-schema.ts'
import { GRANT_STANDING, type GrantStatusRow, grantStatusOf } from './grants.ts'

type CodeRow = Omit<Selectable<AuthorizationCodeTable>, 'updated_at' | 'updated_by'> & GrantStatusRow

/** Looks codes up by hash, each with its grant and how the grant's parties stand, in one statement. */
export function findCodes(
  db: Kysely<Database>,
): (hashes: readonly TokenHash[]) => Promise<ReadonlyMap<string, AuthorizationCodeStatus>> {
  const query = new KeyedQuery<TokenHash, CodeRow>((hashes) =>
    db
      .selectFrom('oauth_authorization_codes')
      .innerJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_authorization_codes.grant_id')
      .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_grants.client_id')
      .innerJoin('oauth_users', 'oauth_users.user_id', 'oauth_grants.user_id')
      .select([
        'oauth_authorization_codes.code_id',
        'oauth_authorization_codes.code_hash',
        'oauth_authorization_codes.redirect_uri',
        'oauth_authorization_codes.code_challenge',
        'oauth_authorization_codes.expires_at',
        'oauth_authorization_codes.consumed_at',
        'oauth_authorization_codes.ray_id',
        'oauth_authorization_codes.created_at',
        'oauth_authorization_codes.created_by',
        ...GRANT_STANDING,
      ])
      .where('oauth_authorization_codes.code_hash', 'in', hashes)
      .compile(),
  )
  return async (hashes) => {
    const { rows } = await db.executeQuery(query.for(hashes))
    return new Map(rows.map(standingOf).map((standing) => [hashKey(standing.code.hash), standing]))
  }
}

export function codeReads(
  findByHash: (hash: TokenHash, span?: Span) => Promise<AuthorizationCodeStatus | null>,
): AuthorizationCodeReads {
  return { findByHash: ({ span }, hash) => findByHash(hash, span) }
}

export function codeWrites(db: Kysely<Database>): Omit<AuthorizationCodeStore, keyof AuthorizationCodeReads> {
  return {
    insert: async (code) => {
      await db
        .insertInto('oauth_authorization_codes')
        .values({
          code_id: code.codeId,
          code_hash: code.hash,
          grant_id: code.grantId,
          redirect_uri: code.redirectUri,
          code_challenge: code.codeChallenge,
          expires_at: code.expiresAt,
          consumed_at: code.consumedAt,
          ray_id: code.rayId,
          created_at: code.createdAt,
          created_by: code.createdBy,
          updated_at: null,
          updated_by: null,
        })
        .execute()
    },
    consume: async (id, at) => {
      const result = await db
        .updateTable('oauth_authorization_codes')
        .set({
          consumed_at: at,
          updated_at: at,
          // Only the client it was made for spends a code.
          updated_by: sql<string>`(select client_id from oauth_grants
            where oauth_grants.grant_id = oauth_authorization_codes.grant_id)`,
        })
        .where('code_id', '=', id)
        .where('consumed_at', 'is', null)
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
  }
}

function standingOf(row: CodeRow): AuthorizationCodeStatus {
  return Object.freeze({
    ...grantStatusOf(row),
    code: Object.freeze({
      codeId: authorizationCodeId(row.code_id),
      hash: hash32(row.code_hash, 'code_hash') as TokenHash,
      grantId: grantId(row.grant_id),
      redirectUri: row.redirect_uri,
      codeChallenge: row.code_challenge,
      createdAt: moment(row.created_at, 'created_at'),
      createdBy: row.created_by,
      expiresAt: moment(row.expires_at, 'expires_at'),
      consumedAt: momentOrNull(row.consumed_at, 'consumed_at'),
      rayId: row.ray_id,
    }),
  })
}
