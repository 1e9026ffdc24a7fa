import { AUDIT_LOG_CHANGES, type Diagnostic, MISSING_PRIVILEGES, NONE } from '../contract/backend.ts'
import type { Execute } from './core/dialect.ts'

/** Settings and states by name, as text. Absent and NULL values are omitted. */
export type DiagnosticRow = ReadonlyMap<string, string>

/** The columns of the only row of an answer. */
export async function diagnosticRow(execute: Execute, question: string): Promise<DiagnosticRow> {
  const [row] = await diagnosticRows(execute, question)
  return row ?? new Map()
}

/** Two-column rows, such as those of SHOW VARIABLES, as names in lower case and values. */
export async function diagnosticPairs(execute: Execute, question: string): Promise<DiagnosticRow> {
  const rows = await diagnosticRows(execute, question)
  return new Map(
    rows.map((row) => {
      const [name = '', value = ''] = row.values()
      return [name.toLowerCase(), value] as const
    }),
  )
}

export async function diagnosticRows(
  execute: Execute,
  question: string,
  parameters: readonly unknown[] = [],
): Promise<readonly DiagnosticRow[]> {
  const { rows } = await execute({ sql: question, parameters })
  return rows.map((row) => {
    const columns = typeof row === 'object' && row !== null ? Object.entries(row) : []
    return new Map(columns.flatMap(([name, value]) => (value === null ? [] : [[name, String(value)] as const])))
  })
}

/** Reports which of UPDATE, DELETE and TRUNCATE the server's user may use on audit events. */
export function auditLogDiagnostic(allowed: readonly string[]): Diagnostic {
  return diagnostic(AUDIT_LOG_CHANGES, allowed.join(', ') || NONE)
}

export function diagnostic(name: string, value: string, warning: string | null = null): Diagnostic {
  return Object.freeze({ name, value, warning })
}

/** A setting that should have one of several values. Empty for a setting that the database does not have. */
export function settingDiagnostic(
  row: DiagnosticRow,
  name: string,
  wanted: readonly string[],
  warning: string,
): readonly Diagnostic[] {
  const value = row.get(name)
  if (value === undefined) return []
  return [diagnostic(name, value, wanted.includes(value.toLowerCase()) ? null : warning)]
}

const MAX_CLOCK_DIFFERENCE_MS = 1_000

/** The difference between the database server's clock and this machine's. `question` returns it as `ms`, since 1970. */
export async function clockDiagnostic(execute: Execute, question: string): Promise<Diagnostic> {
  const before = Date.now()
  const there = Number((await diagnosticRow(execute, question)).get('ms'))
  const after = Date.now()
  // The server's time was read between the two local times. Only the distance from that interval is certain.
  const ahead = there < before ? there - before : there > after ? there - after : 0
  if (!Number.isFinite(there)) return diagnostic('clock', 'unknown', 'the database did not report a time')
  const apart = `${Math.round(Math.abs(ahead))} ms ${ahead < 0 ? 'behind' : 'ahead of'} this machine's`
  const value = ahead === 0 ? "as this machine's" : apart
  return diagnostic(
    'clock',
    value,
    Math.abs(ahead) > MAX_CLOCK_DIFFERENCE_MS ? 'run an NTP client on both machines' : null,
  )
}

const READS = ['SELECT'] as const
const APPENDS = ['SELECT', 'INSERT'] as const
const KEEPS = ['SELECT', 'INSERT', 'UPDATE'] as const
const REPLACES = ['SELECT', 'INSERT', 'DELETE'] as const
const ALL = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const

export type Privilege = (typeof ALL)[number]

/** The privileges that a server's user needs. docs/databases.md has the statements. */
export const NEEDED_PRIVILEGES: Readonly<Record<string, readonly Privilege[]>> = Object.freeze({
  qscope_migrations: READS,
  qscope_schema: READS,
  oauth_audit_log: APPENDS,
  oauth_audit_heads: KEEPS,
  oauth_audit_roster: KEEPS,
  oauth_signing_keys: KEEPS,
  oauth_clients: KEEPS,
  oauth_leases: KEEPS,
  oauth_audit_followers: KEEPS,
  oauth_revocation_keys: KEEPS,
  oauth_users: KEEPS,
  oauth_client_resource_audiences: REPLACES,
  oauth_client_federated_identities: REPLACES,
  oauth_client_configs: ALL,
  oauth_client_secrets: ALL,
  oauth_grants: ALL,
  oauth_authorization_codes: ALL,
  oauth_access_tokens: ALL,
  oauth_refresh_tokens: ALL,
  oauth_device_codes: ALL,
  oauth_assertion_ids: ALL,
  oauth_revocation_heads: ALL,
  oauth_scope_usage: ALL,
  oauth_trusted_issuers: ALL,
  oauth_revocations: REPLACES,
})

/** The missing privileges, as the statements that grant them, and privileges that no server needs. */
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
