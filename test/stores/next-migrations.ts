import type { Kysely } from 'kysely'
import { MIGRATIONS } from '../../src/stores/sql/migrate/steps/all.ts'
import type { MigrationStep } from '../../src/stores/sql/migrate/steps/migration-step.ts'

const TABLES = Object.freeze([
  'oauth_clients',
  'oauth_client_configs',
  'oauth_client_secrets',
  'oauth_users',
  'oauth_grants',
  'oauth_authorization_codes',
  'oauth_refresh_tokens',
  'oauth_access_tokens',
  'oauth_device_codes',
  'oauth_audit_log',
  'oauth_audit_heads',
])

/** The additions of the next version: a nullable column for every written table, one with a default, an index, a table. */
export const ADDITIVE: MigrationStep = {
  name: '9001_additive',
  serversFrom: null,
  migration: (types) => ({
    up: async (db: Kysely<unknown>) => {
      for (const table of TABLES)
        await db.schema.alterTable(table).addColumn('nickname', types.identifier(64)).execute()
      await db.schema
        .alterTable('oauth_clients')
        .addColumn('rating', types.integer, (column) => column.notNull().defaultTo(0))
        .execute()
      await db.schema.createIndex('oauth_users_by_nickname').on('oauth_users').columns(['nickname']).execute()
      await types.table(db.schema.createTable('oauth_ratings')).addColumn('rating', types.integer).execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_ratings').execute()
      await types.dropIndex(db, 'oauth_users', 'oauth_users_by_nickname')
      await db.schema.alterTable('oauth_clients').dropColumn('rating').execute()
      for (const table of TABLES) await db.schema.alterTable(table).dropColumn('nickname').execute()
    },
  }),
}

/** The removals of the version after that. */
export const BREAKING: MigrationStep = {
  name: '9002_breaking',
  serversFrom: '9002_breaking',
  migration: () => ({
    up: async (db: Kysely<unknown>) => {
      await db.schema.alterTable('oauth_clients').renameColumn('display_name', 'title').execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.alterTable('oauth_clients').renameColumn('title', 'display_name').execute()
    },
  }),
}

/** The migrations of the next version, and of the one after it. */
export const NEXT = [...MIGRATIONS, ADDITIVE]
export const LATER = [...NEXT, BREAKING]

/** Removes what servers of the next version do not use. */
export const DROPPING: MigrationStep = {
  name: '9002_dropping',
  serversFrom: ADDITIVE.name,
  migration: (types) => ({
    up: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_ratings').execute()
    },
    down: async (db: Kysely<unknown>) => {
      await types.table(db.schema.createTable('oauth_ratings')).addColumn('rating', types.integer).execute()
    },
  }),
}
