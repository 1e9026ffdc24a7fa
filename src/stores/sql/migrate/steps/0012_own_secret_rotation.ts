import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** Which clients may draw secrets for themselves, and by which secret one was drawn. */
export function ownSecretRotation({ flag, identifier }: ColumnTypes): Migration {
  return {
    up: async (db: Kysely<unknown>) => {
      await db.schema
        .alterTable('oauth_client_configs')
        .addColumn('allow_own_rotation', flag, (column) => column.notNull().defaultTo(0))
        .execute()
      await db.schema.alterTable('oauth_client_secrets').addColumn('made_by', identifier(36)).execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.alterTable('oauth_client_secrets').dropColumn('made_by').execute()
      await db.schema.alterTable('oauth_client_configs').dropColumn('allow_own_rotation').execute()
    },
  }
}
