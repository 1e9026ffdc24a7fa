import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** Keys that sign access tokens. Their private keys are encrypted under a key that is not in the database. */
export function signingKeys(types: ColumnTypes): Migration {
  const { bytes, epochMs, text } = types
  const actor = types.identifier(191)
  const algorithm = types.identifier(32)
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_signing_keys'))
        .addColumn('key_id', types.identifier(36), (column) => column.notNull().primaryKey())
        .addColumn('algorithm', algorithm, (column) => column.notNull())
        .addColumn('public_jwk', text, (column) => column.notNull())
        // Null once the key no longer signs.
        .addColumn('private_key', bytes)
        .addColumn('encryption_key_id', types.identifier(64))
        .addColumn('state', types.identifier(32), (column) => column.notNull())
        // The algorithm while the key is active, otherwise null. Unique, so that one key signs.
        .addColumn('active_algorithm', algorithm)
        .addColumn('longest_lifetime', epochMs, (column) => column.notNull())
        .addColumn('prepared_at', epochMs, (column) => column.notNull())
        .addColumn('activated_at', epochMs)
        .addColumn('retired_at', epochMs)
        .addColumn('revoked_at', epochMs)
        .addColumn('revocation_reason', text)
        .addColumn('tokens_until', epochMs)
        .addColumn('ray_id', types.identifier(128), (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', actor, (column) => column.notNull())
        .addColumn('updated_at', epochMs)
        .addColumn('updated_by', actor)
        .execute()
      const index = (name: string) => db.schema.createIndex(`oauth_signing_keys_${name}`).on('oauth_signing_keys')
      await index('by_active_algorithm').unique().columns(['active_algorithm']).execute()
      await index('by_state').columns(['state', 'tokens_until']).execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_signing_keys').execute()
    },
  }
}
