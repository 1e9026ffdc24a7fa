import type { Diagnostic } from '../../../contract/backend.ts'
import type { Execute } from '../../core/dialect.ts'
import { diagnosticRow, diagnosticRows } from '../../diagnostic-row.ts'
import { privilegeFacts } from '../../needed-privileges.ts'

/** Told by the server of this user, and of the role that it has on. */
const GRANTEES = `(concat('''', replace(current_user(), '@', '''@'''), ''''), concat('''', current_user(), ''''))`
const GRANTED = `select '*' as table_name, privilege_type as privilege from information_schema.user_privileges
  where grantee in ${GRANTEES}
union all select '*', privilege_type from information_schema.schema_privileges
  where grantee in ${GRANTEES} and database() like replace(table_schema, '\\\\\\\\', '\\\\')
union all select table_name, privilege_type from information_schema.table_privileges
  where grantee in ${GRANTEES} and table_schema = database()`

/** Whoever has one of these on the whole database owns it. */
const OWNERS = ['ALTER', 'DROP', 'CREATE', 'TRIGGER', 'SUPER']

/** What the session's user is granted; of what comes through a role nothing is told. */
export async function mysqlPrivilegeFacts(execute: Execute): Promise<readonly Diagnostic[]> {
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
  return privilegeFacts(
    (table, privilege) => everywhere(privilege) || granted.has(`${table.toUpperCase()} ${privilege}`),
    {
      user,
      tableName: (table) => `${about.get('name')}.${table}`,
      excess: owned.length === 0 ? null : `${user} owns the schema (${owned.join(', ').toLowerCase()})`,
    },
  )
}
