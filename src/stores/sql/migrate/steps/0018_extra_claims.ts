import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** The claims that the rule of a trusted issuer derived from the assertion for which a token was issued: a JSON object. */
export function extraClaims({ text }: ColumnTypes): Migration {
  return {
    up: async (db: Kysely<unknown>) => {
      await db.schema.alterTable('oauth_access_tokens').addColumn('extra_claims', text).execute()
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.alterTable('oauth_access_tokens').dropColumn('extra_claims').execute()
    },
  }
}
