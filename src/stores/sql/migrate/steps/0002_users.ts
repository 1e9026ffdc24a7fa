import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** References to users. For a deleted user, the row keeps who deleted it but not the external id. */
export function users(types: ColumnTypes): Migration {
  const { epochMs, flag, integer } = types
  const actor = types.identifier(191)
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_users'))
        .addColumn('user_id', types.identifier(36), (column) => column.notNull().primaryKey())
        .addColumn('external_id', types.identifier(255))
        .addColumn('active', flag, (column) => column.notNull())
        .addColumn('token_generation', integer, (column) => column.notNull())
        .addColumn('deleted_at', epochMs)
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', actor, (column) => column.notNull())
        .addColumn('updated_at', epochMs, (column) => column.notNull())
        .addColumn('updated_by', actor, (column) => column.notNull())
        .execute()
      // Null for a deleted user, so that another user can have the id.
      await db.schema
        .createIndex('oauth_users_by_external_id')
        .on('oauth_users')
        .unique()
        .columns(['external_id'])
        .execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_users').execute()
    },
  }
}
