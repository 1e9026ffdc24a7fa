import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** Access tokens by hash, without their values. */
export function accessTokens(types: ColumnTypes): Migration {
  const { epochMs, hash, integer, text } = types
  const actor = types.identifier(191)
  const id = types.identifier(36)
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_access_tokens'))
        .addColumn('token_id', id, (column) => column.notNull().primaryKey())
        .addColumn('token_hash', hash, (column) => column.notNull())
        .addColumn('client_id', types.identifier(128), (column) => column.notNull())
        .addColumn('subject', types.identifier(128), (column) => column.notNull())
        .addColumn('user_id', id)
        .addColumn('grant_id', id)
        .addColumn('scopes', text, (column) => column.notNull())
        .addColumn('audiences', text, (column) => column.notNull())
        .addColumn('client_generation', integer, (column) => column.notNull())
        .addColumn('user_generation', integer)
        .addColumn('actors', text, (column) => column.notNull())
        .addColumn('ancestors', text, (column) => column.notNull())
        .addColumn('signing_key_id', id)
        .addColumn('certificate_hash', hash)
        .addColumn('issued_at', epochMs, (column) => column.notNull())
        .addColumn('expires_at', epochMs, (column) => column.notNull())
        .addColumn('revoked_at', epochMs)
        .addColumn('revocation_reason', types.identifier(191))
        .addColumn('ray_id', types.identifier(128), (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', actor, (column) => column.notNull())
        .addColumn('updated_at', epochMs)
        .addColumn('updated_by', actor)
        // Optional references. There is no foreign key to the grant: the last token of a family may be exchanged while the
        // family is purged, and a missing grant counts as revoked.
        .addForeignKeyConstraint('oauth_access_tokens_client', ['client_id'], 'oauth_clients', ['client_id'])
        .addForeignKeyConstraint('oauth_access_tokens_user', ['user_id'], 'oauth_users', ['user_id'])
        .execute()
      const index = (name: string) => db.schema.createIndex(`oauth_access_tokens_${name}`).on('oauth_access_tokens')
      await index('by_hash').unique().columns(['token_hash']).execute()
      await index('by_client').columns(['client_id', 'token_id']).execute()
      await types.ofPresent(index('by_user').columns(['user_id', 'token_id']), 'user_id').execute()
      await types.ofPresent(index('by_grant').columns(['grant_id']), 'grant_id').execute()
      await index('by_expiry').columns(['expires_at']).execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_access_tokens').execute()
    },
  }
}
