import type { Diagnostic } from '../../../contract/backend.ts'
import type { Execute } from '../../core/dialect.ts'
import { diagnosticRow, diagnosticRows } from '../../diagnostics.ts'
import { privilegeDiagnostics } from '../../needed-privileges.ts'

/** What the server reports of this user, and of the role that it has on. */
const GRANTEES = `(concat('''', replace(current_user(), '@', '''@'''), ''''), concat('''', current_user(), ''''))`
const GRANTED = `select '*' as table_name, privilege_type as privilege from information_schema.user_privileges
  where grantee in ${GRANTEES}
union all select '*', privilege_type from information_schema.schema_privileges
  where grantee in ${GRANTEES} and database() like replace(table_schema, '\\\\\\\\', '\\\\')
union all select table_name, privilege_type from information_schema.table_privileges
  where grantee in ${GRANTEES} and table_schema = database()`

/** Whoever has one of these on the whole database owns it. */
const OWNERS = ['ALTER', 'DROP', 'CREATE', 'TRIGGER', 'SUPER']

/** What the session's user is granted; what comes through a role is not reported. */
export async function mysqlPrivilegeDiagnostics(execute: Execute): Promise<readonly Diagnostic[]> {
  const about = await diagnosticRow(
    execute,
    'select current_user() as user, database() as name, current_role() as role',
  )
  if (about.get('role') !== undefined && about.get('role') !== 'NONE') return []
  const granted = new Set(
    (await diagnosticRows(execute, GRANTED)).map((row) =>
      `${row.get('table_name')} ${row.get('privilege')}`.toUpperCase(),
    ),
  )
  const everywhere = (privilege: string) => granted.has(`* ${privilege}`)
  const owned = OWNERS.filter(everywhere)
  const user = (about.get('user') ?? '').replace(/^(.*)@(.*)$/, "'$1'@'$2'")
  return privilegeDiagnostics(
    (table, privilege) => everywhere(privilege) || granted.has(`${table.toUpperCase()} ${privilege}`),
    {
      user,
      tableName: (table) => `${about.get('name')}.${table}`,
      excess: owned.length === 0 ? null : `${user} owns the schema (${owned.join(', ').toLowerCase()})`,
    },
  )
}

/** To explain a statement takes the privileges that it takes itself, and changes nothing. */
const CHANGES = Object.freeze({
  UPDATE: 'explain update oauth_audit_log set sequence = sequence where 1 = 0',
  DELETE: 'explain delete from oauth_audit_log where 1 = 0',
})

/** Access denied to a table, to a column of it; no such table. */
const REFUSALS: ReadonlySet<unknown> = new Set([1142, 1143, 1146])

/** Which changes of audit events this session's user has the privilege for. */
export async function auditLogChanges(execute: Execute): Promise<readonly string[]> {
  const allowed: string[] = []
  for (const [change, sql] of Object.entries(CHANGES)) {
    try {
      await execute({ sql, parameters: [] })
      allowed.push(change)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }
  return allowed
}

function isRefusal(error: unknown): boolean {
  const { cause } = error instanceof Error ? error : {}
  return cause instanceof Error && 'errno' in cause && REFUSALS.has(cause.errno)
}
