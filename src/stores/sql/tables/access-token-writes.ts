import type { Insertable, Kysely } from 'kysely'
import type { AccessToken } from '../../../domain/access-token.ts'
import { hashOf } from '../../../domain/certificate.ts'
import { type TokenId, tokenId } from '../../../domain/ids.ts'
import type { AccessTokenReads, AccessTokenStore } from '../../contract/access-tokens.ts'
import type { Change } from '../../contract/context.ts'
import { isOneRow, PreparedStatement } from '../core/prepared-statement.ts'
import { InsertStatements } from '../core/sized-statements.ts'
import type { Database } from '../schema.ts'
import type { AccessTokenTable } from '../token-schema.ts'

export function accessTokenWrites(db: Kysely<Database>): Omit<AccessTokenStore, keyof AccessTokenReads> {
  const inserts = accessTokenInserts(db)
  const revoking = new PreparedStatement<Change & { readonly id: TokenId; readonly reason: string }>((value) =>
    db
      .updateTable('oauth_access_tokens')
      .set({
        revoked_at: value('at'),
        revocation_reason: value('reason'),
        updated_at: value('at'),
        updated_by: value('by'),
      })
      .where('token_id', '=', value('id'))
      .where('revoked_at', 'is', null),
  )
  return {
    insert: async (token) => {
      for (const statement of inserts.of([accessTokenRow(token)])) await db.executeQuery(statement)
    },
    revoke: async (id, reason, { at, by }) => isOneRow(await db.executeQuery(revoking.with({ id, reason, at, by }))),
    unexpiredOfGrant: async (ctx, id) => {
      const rows = await db
        .selectFrom('oauth_access_tokens')
        .innerJoin('oauth_grants', (join) =>
          join
            .onRef('oauth_grants.grant_id', '=', 'oauth_access_tokens.grant_id')
            .onRef('oauth_grants.client_id', '=', 'oauth_access_tokens.client_id'),
        )
        .select('oauth_access_tokens.token_id')
        .where('oauth_access_tokens.grant_id', '=', id)
        .where('oauth_access_tokens.ancestors', '=', NO_ANCESTORS)
        .where('oauth_access_tokens.revoked_at', 'is', null)
        .where('oauth_access_tokens.expires_at', '>', ctx.now)
        .orderBy('oauth_access_tokens.token_id')
        .execute()
      return rows.map((row) => tokenId(row.token_id))
    },
  }
}

const NO_ANCESTORS = '[]'

export function accessTokenInserts(db: Kysely<Database>): InsertStatements<Insertable<AccessTokenTable>> {
  return new InsertStatements((rows) => db.insertInto('oauth_access_tokens').values(rows).compile())
}

export function accessTokenRow(token: AccessToken): Insertable<AccessTokenTable> {
  return {
    token_id: token.tokenId,
    token_hash: token.hash,
    client_id: token.clientId,
    subject: token.subject,
    user_id: token.userId,
    grant_id: token.grantId,
    scopes: token.scopes.join(' '),
    audiences: JSON.stringify(token.audiences),
    client_generation: token.clientGeneration,
    user_generation: token.userGeneration,
    actors: JSON.stringify(token.actors),
    ancestors: JSON.stringify(token.ancestors),
    signing_key_id: token.signingKeyId,
    certificate_hash: token.confirmation === null ? null : hashOf(token.confirmation),
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
