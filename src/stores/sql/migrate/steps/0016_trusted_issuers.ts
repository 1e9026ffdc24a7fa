import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

const MAX_ISSUER_LENGTH = 512

/** Issuers whose assertions authenticate clients, as created through the API. */
export function trustedIssuers(types: ColumnTypes): Migration {
  const { epochMs, flag, text } = types
  const actor = types.identifier(191)
  return {
    up: async (db: Kysely<unknown>) => {
      await types
        .table(db.schema.createTable('oauth_trusted_issuers'))
        .addColumn('issuer', types.identifier(MAX_ISSUER_LENGTH), (column) => column.notNull().primaryKey())
        .addColumn('revision', types.identifier(36), (column) => column.notNull())
        .addColumn('display_name', text, (column) => column.notNull())
        .addColumn('kind', types.identifier(32), (column) => column.notNull())
        .addColumn('trust_domain', types.identifier(255))
        .addColumn('key_location', types.identifier(32), (column) => column.notNull())
        .addColumn('jwks', text)
        .addColumn('jwks_uri', text)
        .addColumn('ca_certificates', text)
        .addColumn('audience', types.identifier(MAX_ISSUER_LENGTH))
        .addColumn('single_use', flag, (column) => column.notNull())
        .addColumn('max_lifetime', epochMs, (column) => column.notNull())
        .addColumn('rules', text, (column) => column.notNull())
        .addColumn('owner', types.identifier(128))
        .addColumn('created_at', epochMs, (column) => column.notNull())
        .addColumn('created_by', actor, (column) => column.notNull())
        .addColumn('updated_at', epochMs, (column) => column.notNull())
        .addColumn('updated_by', actor, (column) => column.notNull())
        .execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_trusted_issuers').execute()
    },
  }
}
