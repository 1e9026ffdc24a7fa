import { type Diagnostic, MISSING_PRIVILEGES, NONE } from '../contract/backend.ts'
import { diagnostic } from './diagnostics.ts'

const READS = ['SELECT'] as const
const APPENDS = ['SELECT', 'INSERT'] as const
const KEEPS = ['SELECT', 'INSERT', 'UPDATE'] as const
const REPLACES = ['SELECT', 'INSERT', 'DELETE'] as const
const ALL = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const

export type Privilege = (typeof ALL)[number]

/** What the user of a server must be granted; docs/databases.md has the statements. */
export const NEEDED_PRIVILEGES: Readonly<Record<string, readonly Privilege[]>> = Object.freeze({
  qscope_migrations: READS,
  qscope_schema: READS,
  oauth_audit_log: APPENDS,
  oauth_audit_heads: KEEPS,
  oauth_audit_roster: KEEPS,
  oauth_signing_keys: KEEPS,
  oauth_clients: KEEPS,
  oauth_leases: KEEPS,
  oauth_users: KEEPS,
  oauth_client_resource_audiences: REPLACES,
  oauth_client_configs: ALL,
  oauth_client_secrets: ALL,
  oauth_grants: ALL,
  oauth_authorization_codes: ALL,
  oauth_access_tokens: ALL,
  oauth_refresh_tokens: ALL,
  oauth_device_codes: ALL,
  oauth_assertion_ids: ALL,
})

/** What is missing of what is needed, as the statements that grant it; and what the user may do that no server needs. */
export function privilegeDiagnostics(
  has: (table: string, privilege: Privilege) => boolean,
  {
    user,
    tableName,
    excess,
  }: { readonly user: string; readonly tableName: (table: string) => string; readonly excess: string | null },
): readonly Diagnostic[] {
  const grants = Object.entries(NEEDED_PRIVILEGES).flatMap(([table, needed]) => {
    const missing = needed.filter((privilege) => !has(table, privilege))
    return missing.length === 0 ? [] : [`grant ${missing.join(', ').toLowerCase()} on ${tableName(table)} to ${user}`]
  })
  const advice = `servers need less: give them a user of their own (docs/databases.md)`
  return [
    grants.length === 0
      ? diagnostic(MISSING_PRIVILEGES, NONE)
      : diagnostic(
          MISSING_PRIVILEGES,
          `${user} lacks rights on ${grants.length === 1 ? '1 table' : `${grants.length} tables`}`,
          `${grants.join('; ')};`,
        ),
    diagnostic('privileges', excess ?? 'what a server needs', excess === null ? null : advice),
  ]
}
