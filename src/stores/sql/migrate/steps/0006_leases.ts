import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** The holders of jobs that one instance does at a time. */
export function leases(types: ColumnTypes): Migration {
  const { epochMs } = types
  const holder = types.identifier(191)
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_leases'))
        .addColumn('name', types.identifier(64), (column) => column.notNull().primaryKey())
        .addColumn('holder', holder, (column) => column.notNull())
        .addColumn('expires_at', epochMs, (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', holder, (column) => column.notNull())
        .addColumn('updated_at', epochMs, (column) => column.notNull())
        .addColumn('updated_by', holder, (column) => column.notNull())
        .execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_leases').execute()
    },
  }
}
