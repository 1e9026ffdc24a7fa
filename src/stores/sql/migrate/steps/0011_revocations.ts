import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/**
 * The keys of facts that ended early, in the order of each writer's commits; the last place of each writer; and the keys of
 * the keyring under which tokens were recently issued.
 */
export function revocations(types: ColumnTypes): Migration {
  const { epochMs, key } = types
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_revocation_heads'))
        .addColumn('writer', epochMs, (column) => column.notNull().primaryKey())
        .addColumn('sequence', epochMs, (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('updated_at', epochMs, (column) => column.notNull())
        .execute()
      await types
        .table(db.schema.createTable('oauth_revocations'))
        .addColumn('writer', epochMs, (column) => column.notNull())
        .addColumn('sequence', epochMs, (column) => column.notNull())
        .addColumn('key', key, (column) => column.notNull())
        .addColumn('forget_time', epochMs, (column) => column.notNull())
        .addPrimaryKeyConstraint('oauth_revocations_pk', ['writer', 'sequence'])
        .execute()
      await db.schema
        .createIndex('oauth_revocations_by_forget_time')
        .on('oauth_revocations')
        .columns(['forget_time'])
        .execute()
      await types
        .table(db.schema.createTable('oauth_revocation_keys'))
        .addColumn('key_id', types.identifier(64), (column) => column.notNull().primaryKey())
        .addColumn('used_at', epochMs, (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_revocation_keys').execute()
      await db.schema.dropTable('oauth_revocations').execute()
      await db.schema.dropTable('oauth_revocation_heads').execute()
    },
  }
}
