import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** Device authorizations, by the hashes of their two codes. */
export function deviceCodes(types: ColumnTypes): Migration {
  const { epochMs, hash, integer, text } = types
  const actor = types.identifier(191)
  const id = types.identifier(36)
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_device_codes'))
        .addColumn('device_authorization_id', id, (column) => column.notNull().primaryKey())
        .addColumn('device_code_hash', hash, (column) => column.notNull())
        .addColumn('user_code_hash', hash, (column) => column.notNull())
        // Null after the decision. Unique among the pending ones.
        .addColumn('live_user_code_hash', hash)
        .addColumn('user_code_key_id', types.identifier(64), (column) => column.notNull())
        .addColumn('client_id', types.identifier(128), (column) => column.notNull())
        .addColumn('scopes', text, (column) => column.notNull())
        .addColumn('audiences', text, (column) => column.notNull())
        .addColumn('client_generation', integer, (column) => column.notNull())
        .addColumn('decision', types.identifier(32), (column) => column.notNull())
        .addColumn('poll_interval', epochMs, (column) => column.notNull())
        .addColumn('lock_version', integer, (column) => column.notNull())
        .addColumn('last_polled_at', epochMs)
        .addColumn('grant_id', id)
        .addColumn('expires_at', epochMs, (column) => column.notNull())
        .addColumn('ray_id', types.identifier(128), (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', actor, (column) => column.notNull())
        .addColumn('updated_at', epochMs)
        .addColumn('updated_by', actor)
        // No foreign key to the grant: each is purged by its own expiry.
        .addForeignKeyConstraint('oauth_device_codes_client', ['client_id'], 'oauth_clients', ['client_id'])
        .execute()
      const index = (name: string) => db.schema.createIndex(`oauth_device_codes_${name}`).on('oauth_device_codes')
      await index('by_device_code').unique().columns(['device_code_hash']).execute()
      await index('by_user_code').columns(['user_code_hash']).execute()
      await index('by_live_user_code').unique().columns(['live_user_code_hash']).execute()
      await index('by_client').columns(['client_id', 'expires_at']).execute()
      await index('by_expiry').columns(['expires_at']).execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_device_codes').execute()
    },
  }
}
