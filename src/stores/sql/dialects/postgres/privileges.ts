import type { Diagnostic } from '../../../contract/backend.ts'
import type { Execute } from '../../core/dialect.ts'
import { diagnosticRow, diagnosticRows } from '../../diagnostics.ts'
import { NEEDED_PRIVILEGES, privilegeDiagnostics } from '../../needed-privileges.ts'

const NAMES = Object.keys(NEEDED_PRIVILEGES)
  .map((name) => `('${name}')`)
  .join(', ')
const PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE']
const GRANTED = `select name, privilege from (values ${NAMES}) as tables (name),
  unnest(array[${PRIVILEGES.map((privilege) => `'${privilege}'`).join(', ')}]) as privilege
where has_table_privilege(to_regclass(name), privilege)`
const ABOUT = `select quote_ident(current_user) as user, current_setting('is_superuser', true) as superuser,
  exists (select 1 from pg_tables where tablename = 'oauth_clients' and tableowner = current_user) as owner`

/** What the session's user may do, by itself or through a role. */
export async function postgresPrivilegeDiagnostics(execute: Execute): Promise<readonly Diagnostic[]> {
  const about = await diagnosticRow(execute, ABOUT)
  const granted = new Set(
    (await diagnosticRows(execute, GRANTED)).map((row) => `${row.get('name')} ${row.get('privilege')}`),
  )
  const user = about.get('user') ?? ''
  const isSuperuser = about.get('superuser') === 'on'
  const isOwner = about.get('owner') === 'true'
  return privilegeDiagnostics((table, privilege) => granted.has(`${table} ${privilege}`), {
    user,
    tableName: (table) => table,
    excess: isSuperuser ? `${user} is a superuser` : isOwner ? `${user} owns the schema` : null,
  })
}
