import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** Which clients may generate secrets for themselves, and the secret with which each one was generated. */
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
