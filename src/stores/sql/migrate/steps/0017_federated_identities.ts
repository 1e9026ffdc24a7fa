import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** The names of clients at trusted issuers, each with one owner, and the URLs of clients' keys. */
export function federatedIdentities(types: ColumnTypes): Migration {
  const { epochMs, hash, identifier, text } = types
  return {
    up: async (db: Kysely<unknown>) => {
      await db.schema.alterTable('oauth_clients').addColumn('jwks_uri', text).execute()
      await db.schema.alterTable('oauth_clients').addColumn('federated_identities', text).execute()
      await types
        .table(db.schema.createTable('oauth_client_federated_identities'))
        .addColumn('identity_hash', hash, (column) => column.notNull().primaryKey())
        .addColumn('issuer', identifier(512), (column) => column.notNull())
        .addColumn('client_id', identifier(128), (column) => column.notNull())
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', identifier(191), (column) => column.notNull())
        .execute()
      const index = (name: string) =>
        db.schema.createIndex(`oauth_client_federated_identities_${name}`).on('oauth_client_federated_identities')
      await index('by_issuer').columns(['issuer', 'client_id']).execute()
      await index('by_client').columns(['client_id']).execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_client_federated_identities').execute()
      await db.schema.alterTable('oauth_clients').dropColumn('federated_identities').execute()
      await db.schema.alterTable('oauth_clients').dropColumn('jwks_uri').execute()
    },
  }
}
