import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** The positions of background followers of the audit log, such as its sinks. */
export function auditFollowers(types: ColumnTypes): Migration {
  const { epochMs, text } = types
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_audit_followers'))
        .addColumn('name', types.identifier(64), (column) => column.notNull().primaryKey())
        .addColumn('position', text, (column) => column.notNull())
        .addColumn('version', epochMs, (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('updated_at', epochMs, (column) => column.notNull())
        .execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_audit_followers').execute()
    },
  }
}
