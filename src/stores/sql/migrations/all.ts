import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../dialect.ts'
import { clients } from './0001_clients.ts'
import { accessTokens } from './0002_access_tokens.ts'
import { auditLog } from './0003_audit_log.ts'

/** Every step of the schema, in order; written once for all databases. */
const MIGRATIONS: Readonly<Record<string, (types: ColumnTypes) => Migration>> = Object.freeze({
  '0001_clients': clients,
  '0002_access_tokens': accessTokens,
  '0003_audit_log': auditLog,
})

export const MIGRATION_NAMES: readonly string[] = Object.freeze(Object.keys(MIGRATIONS))

export function migrationsFor(types: ColumnTypes): Record<string, Migration> {
  return Object.fromEntries(Object.entries(MIGRATIONS).map(([name, migration]) => [name, migration(types)]))
}
