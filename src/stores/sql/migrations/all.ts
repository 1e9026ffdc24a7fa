import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../dialect.ts'
import { clients } from './0001_clients.ts'
import { users } from './0002_users.ts'
import { grants } from './0003_grants.ts'
import { accessTokens } from './0004_access_tokens.ts'
import { deviceCodes } from './0005_device_codes.ts'
import { leases } from './0006_leases.ts'
import { auditLog } from './0007_audit_log.ts'

/** Every step of the schema, in order; written once for all databases. */
const MIGRATIONS: Readonly<Record<string, (types: ColumnTypes) => Migration>> = Object.freeze({
  '0001_clients': clients,
  '0002_users': users,
  '0003_grants': grants,
  '0004_access_tokens': accessTokens,
  '0005_device_codes': deviceCodes,
  '0006_leases': leases,
  '0007_audit_log': auditLog,
})

export const MIGRATION_NAMES: readonly string[] = Object.freeze(Object.keys(MIGRATIONS))

export function migrationsFor(types: ColumnTypes): Record<string, Migration> {
  return Object.fromEntries(Object.entries(MIGRATIONS).map(([name, migration]) => [name, migration(types)]))
}
