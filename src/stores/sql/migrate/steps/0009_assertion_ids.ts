import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** Single-use assertions that were used. The primary key decides races. */
export function assertionIds(types: ColumnTypes): Migration {
  const { epochMs, hash } = types
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_assertion_ids'))
        .addColumn('assertion_hash', hash, (column) => column.notNull().primaryKey())
        .addColumn('use_id', types.identifier(36), (column) => column.notNull())
        .addColumn('expires_at', epochMs, (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', types.identifier(191), (column) => column.notNull())
        .execute()
      await db.schema
        .createIndex('oauth_assertion_ids_by_expiry')
        .on('oauth_assertion_ids')
        .columns(['expires_at'])
        .execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_assertion_ids').execute()
    },
  }
}
