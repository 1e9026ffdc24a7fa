import type { Kysely } from 'kysely'
import { grantId } from '../../domain/ids.ts'
import type { RefreshTokenReads, RefreshTokenStore } from '../contract.ts'
import { grantMayComeBack } from './parties.ts'
import type { Database } from './schema.ts'

export function refreshTokenWrites(db: Kysely<Database>): Omit<RefreshTokenStore, keyof RefreshTokenReads> {
  return {
    insert: async (token) => {
      await db
        .insertInto('oauth_refresh_tokens')
        .values({
          token_id: token.tokenId,
          token_hash: token.hash,
          grant_id: token.grantId,
          client_id: token.clientId,
          user_id: token.userId,
          predecessor_id: token.predecessorId,
          issued_at: token.issuedAt,
          expires_at: token.expiresAt,
          consumed_at: token.consumedAt,
          successor_id: token.successorId,
          replay_answer: token.replay?.answer ?? null,
          replay_until: token.replay?.until ?? null,
          ray_id: token.rayId,
          created_at: token.issuedAt,
          created_by: token.clientId,
          updated_at: null,
          updated_by: null,
        })
        .execute()
    },
    consume: async (id, at, { successorId, replay }) => {
      const result = await db
        .updateTable('oauth_refresh_tokens')
        .set((row) => ({
          consumed_at: at,
          successor_id: successorId,
          replay_answer: replay?.answer ?? null,
          replay_until: replay?.until ?? null,
          updated_at: at,
          updated_by: row.ref('client_id'),
        }))
        .where('token_id', '=', id)
        .where('consumed_at', 'is', null)
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
    eraseReplay: async (id) => {
      await db
        .updateTable('oauth_refresh_tokens')
        .set({ replay_answer: null, replay_until: null })
        .where('token_id', '=', id)
        .execute()
    },
    spendableGrants: async (ctx, client, user) => {
      const rows = await db
        .selectFrom('oauth_refresh_tokens')
        .innerJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_refresh_tokens.grant_id')
        .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_refresh_tokens.client_id')
        .innerJoin('oauth_users', 'oauth_users.user_id', 'oauth_refresh_tokens.user_id')
        .select((row) => ['oauth_refresh_tokens.grant_id', row.fn.min('oauth_refresh_tokens.token_id').as('oldest')])
        .where('oauth_refresh_tokens.client_id', '=', client)
        .where('oauth_refresh_tokens.consumed_at', 'is', null)
        .where('oauth_refresh_tokens.expires_at', '>', ctx.now)
        .where(grantMayComeBack(ctx.now))
        .$if(user !== null, (query) => query.where('oauth_refresh_tokens.user_id', '=', user ?? ''))
        .groupBy('oauth_refresh_tokens.grant_id')
        .orderBy('oldest')
        .execute()
      return rows.map((row) => grantId(row.grant_id))
    },
  }
}
