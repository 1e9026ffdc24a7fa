import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

const MAX_OWNER_LENGTH = 128
const MAX_HASH_LENGTH = 512

/** The configuration as code that manages a client or a user, and the secret hashes of other servers. */
export function owners(types: ColumnTypes): Migration {
  return {
    up: async (db: Kysely<unknown>) => {
      await db.schema.alterTable('oauth_clients').addColumn('owner', types.identifier(MAX_OWNER_LENGTH)).execute()
      await db.schema.alterTable('oauth_users').addColumn('owner', types.identifier(MAX_OWNER_LENGTH)).execute()
      await db.schema
        .alterTable('oauth_client_secrets')
        .addColumn('imported_hash', types.identifier(MAX_HASH_LENGTH))
        .execute()
      const clients = db.schema.createIndex('oauth_clients_by_owner').on('oauth_clients')
      await types.ofPresent(clients.columns(['owner', 'client_id']), 'owner').execute()
      const users = db.schema.createIndex('oauth_users_by_owner').on('oauth_users')
      await types.ofPresent(users.columns(['owner', 'user_id']), 'owner').execute()
    },
    down: async (db: Kysely<unknown>) => {
      await types.dropIndex(db, 'oauth_users', 'oauth_users_by_owner')
      await types.dropIndex(db, 'oauth_clients', 'oauth_clients_by_owner')
      await db.schema.alterTable('oauth_client_secrets').dropColumn('imported_hash').execute()
      await db.schema.alterTable('oauth_users').dropColumn('owner').execute()
      await db.schema.alterTable('oauth_clients').dropColumn('owner').execute()
    },
  }
}
