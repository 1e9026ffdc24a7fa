import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

const TABLE = 'oauth_audit_log'
const NAME = 'oauth_audit_log_by_type'

/** An index that finds the events of a type without scanning others. */
export function auditEventsByType(types: ColumnTypes): Migration {
  return {
    up: async (db: Kysely<unknown>) => {
      await db.schema.createIndex(NAME).on(TABLE).columns(['event_type', 'event_id']).execute()
    },
    down: (db: Kysely<unknown>) => types.dropIndex(db, TABLE, NAME),
  }
}
