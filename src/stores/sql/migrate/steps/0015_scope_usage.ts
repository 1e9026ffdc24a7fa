import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** How often clients requested and were granted scopes on each day. */
export function scopeUsage(types: ColumnTypes): Migration {
  const { epochMs, hash } = types
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_scope_usage'))
        .addColumn('usage_hash', hash, (column) => column.notNull().primaryKey())
        .addColumn('day', epochMs, (column) => column.notNull())
        .addColumn('client_id', types.identifier(128), (column) => column.notNull())
        .addColumn('scope', types.identifier(128), (column) => column.notNull())
        .addColumn('asked', epochMs, (column) => column.notNull())
        .addColumn('granted', epochMs, (column) => column.notNull())
        .addColumn('forget_at', epochMs, (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('updated_at', epochMs, (column) => column.notNull())
        .execute()
      const index = (name: string) => db.schema.createIndex(`oauth_scope_usage_${name}`).on('oauth_scope_usage')
      await index('by_day').columns(['day', 'client_id']).execute()
      await index('by_client').columns(['client_id', 'day']).execute()
      await index('by_end').columns(['forget_at']).execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_scope_usage').execute()
    },
  }
}
