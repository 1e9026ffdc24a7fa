import type { Insertable, Kysely } from 'kysely'
import { type EpochMs, grantId, type TokenId } from '../../../domain/ids.ts'
import type { RefreshToken } from '../../../domain/refresh-token.ts'
import type { RefreshTokenReads, RefreshTokenStore } from '../../contract/refresh-tokens.ts'
import { isOneRow, PreparedStatement } from '../core/prepared-statement.ts'
import { InsertStatements } from '../core/sized-statements.ts'
import type { Database } from '../schema.ts'
import type { RefreshTokenTable } from '../token-schema.ts'
import { grantMayComeBack } from './principal-status.ts'

interface Spending {
  readonly id: TokenId
  readonly at: EpochMs
  readonly successorId: TokenId
  readonly answer: Buffer | null
  readonly until: EpochMs | null
}

export function refreshTokenWrites(db: Kysely<Database>): Omit<RefreshTokenStore, keyof RefreshTokenReads> {
  const inserts = new InsertStatements<Insertable<RefreshTokenTable>>((rows) =>
    db.insertInto('oauth_refresh_tokens').values(rows).compile(),
  )
  const spending = new PreparedStatement<Spending>((value) =>
    db
      .updateTable('oauth_refresh_tokens')
      .set((row) => ({
        consumed_at: value('at'),
        successor_id: value('successorId'),
        replay_answer: value('answer'),
        replay_until: value('until'),
        updated_at: value('at'),
        updated_by: row.ref('client_id'),
      }))
      .where('token_id', '=', value('id'))
      .where('consumed_at', 'is', null),
  )
  const erasing = new PreparedStatement<{ readonly id: TokenId }>((value) =>
    db
      .updateTable('oauth_refresh_tokens')
      .set({ replay_answer: null, replay_until: null })
      .where('token_id', '=', value('id')),
  )
  return {
    insert: async (token) => {
      for (const statement of inserts.of([refreshTokenRow(token)])) await db.executeQuery(statement)
    },
    consume: async (id, at, { successorId, replay }) => {
      const values = { id, at, successorId, answer: replay?.answer ?? null, until: replay?.until ?? null }
      return isOneRow(await db.executeQuery(spending.with(values)))
    },
    eraseReplay: async (id) => {
      await db.executeQuery(erasing.with({ id }))
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

function refreshTokenRow(token: RefreshToken): Insertable<RefreshTokenTable> {
  return {
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
  }
}
