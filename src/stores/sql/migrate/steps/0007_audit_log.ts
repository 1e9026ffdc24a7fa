import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** The append-only, hash-chained log, the end of each writer's chain, and the number of writers so far. */
export function auditLog(types: ColumnTypes): Migration {
  const { epochMs, hash, text } = types
  const actor = types.identifier(191)
  const id = types.identifier(36)
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_audit_log'))
        .addColumn('event_id', id, (column) => column.notNull().primaryKey())
        .addColumn('writer_id', id, (column) => column.notNull())
        .addColumn('sequence', epochMs, (column) => column.notNull())
        .addColumn('previous_hash', hash, (column) => column.notNull())
        .addColumn('hash', hash, (column) => column.notNull())
        .addColumn('key_id', types.identifier(64), (column) => column.notNull())
        .addColumn('event_type', types.identifier(64), (column) => column.notNull())
        .addColumn('ray_id', types.identifier(128), (column) => column.notNull())
        .addColumn('client_id', types.identifier(128))
        .addColumn('user_id', types.identifier(128))
        .addColumn('token_id', id)
        .addColumn('grant_id', id)
        .addColumn('actor', actor, (column) => column.notNull())
        .addColumn('metadata', text, (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', actor, (column) => column.notNull())
        .execute()
      const index = (name: string) => db.schema.createIndex(`oauth_audit_log_${name}`).on('oauth_audit_log')
      await index('by_place').unique().columns(['writer_id', 'sequence']).execute()
      await types.ofPresent(index('by_client').columns(['client_id', 'event_id']), 'client_id').execute()
      await types.ofPresent(index('by_user').columns(['user_id', 'event_id']), 'user_id').execute()
      await index('by_ray').columns(['ray_id']).execute()
      await types
        .table(db.schema.createTable('oauth_audit_heads'))
        .addColumn('writer_id', id, (column) => column.notNull().primaryKey())
        .addColumn('ordinal', epochMs, (column) => column.notNull())
        .addColumn('sequence', epochMs, (column) => column.notNull())
        .addColumn('hash', hash, (column) => column.notNull())
        .addColumn('key_id', types.identifier(64), (column) => column.notNull())
        .addColumn('mac', hash, (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', actor, (column) => column.notNull())
        .addColumn('updated_at', epochMs, (column) => column.notNull())
        .addColumn('updated_by', actor, (column) => column.notNull())
        .execute()
      const ordinals = db.schema.createIndex('oauth_audit_heads_by_ordinal').on('oauth_audit_heads')
      await ordinals.unique().columns(['ordinal']).execute()
      await types
        .table(db.schema.createTable('oauth_audit_roster'))
        .addColumn('name', types.identifier(64), (column) => column.notNull().primaryKey())
        .addColumn('writers', epochMs, (column) => column.notNull())
        .addColumn('total', hash, (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', actor, (column) => column.notNull())
        .addColumn('updated_at', epochMs, (column) => column.notNull())
        .addColumn('updated_by', actor, (column) => column.notNull())
        .execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_audit_roster').execute()
      await db.schema.dropTable('oauth_audit_heads').execute()
      await db.schema.dropTable('oauth_audit_log').execute()
    },
  }
}
