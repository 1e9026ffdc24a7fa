import type { Diagnostic } from '../../../contract/backend.ts'
import type { Execute } from '../../core/dialect.ts'
import {
  auditLogDiagnostic,
  clockDiagnostic,
  type DiagnosticRow,
  diagnostic,
  diagnosticRow,
  diagnosticRows,
  NEEDED_PRIVILEGES,
  privilegeDiagnostics,
  settingDiagnostic,
} from '../../diagnostics.ts'
import { deviationsOf, sessionDiagnostic } from '../../server/session-settings.ts'
import { SESSION_SETTINGS, settingsFor } from './session.ts'

const OLDEST_VERSION_NUMBER = 130_000

/** With `true`, an unknown setting is NULL instead of an error, for servers that are only compatible with PostgreSQL. */
const SETTINGS = [
  'server_version_num',
  'server_encoding',
  'transaction_isolation',
  'synchronous_commit',
  'fsync',
  'full_page_writes',
  'transaction_read_only',
  'max_connections',
]
const QUESTION = `select version() as version, pg_is_in_recovery() as in_recovery,
  (select datcollate from pg_database where datname = current_database()) as datcollate,
  ${SETTINGS.map((name) => `current_setting('${name}', true) as ${name}`).join(', ')}`

/** For PostgreSQL, and for CockroachDB as far as it has the same settings. */
export async function postgresDiagnostics(execute: Execute): Promise<readonly Diagnostic[]> {
  const row = await diagnosticRow(execute, QUESTION)
  const session = await diagnosticRow(execute, SESSION_SETTINGS)
  const cockroach = /^CockroachDB/.test(row.get('version') ?? '')
  return [
    versionDiagnostic(row, cockroach),
    isolationDiagnostic(row, cockroach),
    sessionDiagnostic(deviationsOf(settingsFor(session), session)),
    encodingDiagnostic(row),
    ...(cockroach ? [] : durabilityDiagnostics(row)),
    ...(row.get('in_recovery') === 'true'
      ? [diagnostic('in_recovery', 'yes', 'a standby does not accept writes: name the primary too')]
      : settingDiagnostic(
          row,
          'transaction_read_only',
          ['off'],
          'this server does not accept writes: name a host that does',
        )),
    diagnostic('max_connections', row.get('max_connections') ?? 'unknown'),
    await clockDiagnostic(execute, 'select extract(epoch from clock_timestamp()) * 1000 as ms'),
    ...(cockroach ? [] : [await tlsDiagnostic(execute)]),
    await changesDiagnostic(execute),
    ...(cockroach ? [] : await postgresPrivilegeDiagnostics(execute)),
  ]
}

function versionDiagnostic(row: DiagnosticRow, cockroach: boolean): Diagnostic {
  // "PostgreSQL 15.18 (Debian …) on x86_64-pc-linux-gnu, compiled by …"
  const version = (row.get('version') ?? 'unknown').replace(/ on .*| \(x86.*/s, '')
  if (cockroach) return diagnostic('version', version, 'QScope is written for CockroachDB, but was not run on it')
  const old = Number(row.get('server_version_num')) < OLDEST_VERSION_NUMBER
  return diagnostic('version', version, old ? 'QScope is written for PostgreSQL 13 and newer' : null)
}

function isolationDiagnostic(row: DiagnosticRow, cockroach: boolean): Diagnostic {
  const level = row.get('transaction_isolation') ?? 'unknown'
  const expected = level === 'read committed' || (cockroach && level === 'serializable')
  const warning = 'QScope needs "read committed": check whether something between it and the server changes that'
  return diagnostic('isolation', level, expected ? null : warning)
}

function encodingDiagnostic(row: DiagnosticRow): Diagnostic {
  const encoding = row.get('server_encoding') ?? 'unknown'
  const value = `${encoding}, collation ${row.get('datcollate') ?? 'unknown'}`
  return diagnostic(
    'encoding',
    value,
    /^UTF-?8$/i.test(encoding) ? null : 'not every name can be stored: create the database with encoding UTF8',
  )
}

function durabilityDiagnostics(row: DiagnosticRow): readonly Diagnostic[] {
  const durable = ['on', 'local', 'remote_write', 'remote_apply']
  return [
    ...settingDiagnostic(row, 'synchronous_commit', durable, 'a crash can lose answered calls: set it to on'),
    ...settingDiagnostic(row, 'fsync', ['on'], 'a power failure can destroy the database: set it to on'),
    ...settingDiagnostic(row, 'full_page_writes', ['on'], 'a power failure can destroy the database: set it to on'),
  ]
}

/** For this session. Some poolers and compatible servers do not report it. */
async function tlsDiagnostic(execute: Execute): Promise<Diagnostic> {
  const row = await diagnosticRow(execute, 'select ssl, version, cipher from pg_stat_ssl where pid = pg_backend_pid()')
  return diagnostic('tls', row.get('ssl') === 'true' ? `${row.get('version')} ${row.get('cipher')}` : 'plaintext')
}

/** An owner has all privileges. */
async function changesDiagnostic(execute: Execute): Promise<Diagnostic> {
  const changes = ['UPDATE', 'DELETE', 'TRUNCATE']
  const columns = changes.map(
    (change) => `has_table_privilege(to_regclass('oauth_audit_log'), '${change}') as ${change}`,
  )
  const row = await diagnosticRow(execute, `select ${columns.join(', ')}`)
  return auditLogDiagnostic(changes.filter((change) => row.get(change.toLowerCase()) === 'true'))
}

const NAMES = Object.keys(NEEDED_PRIVILEGES)
  .map((name) => `('${name}')`)
  .join(', ')
const PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE']
const GRANTED = `select name, privilege from (values ${NAMES}) as tables (name),
  unnest(array[${PRIVILEGES.map((privilege) => `'${privilege}'`).join(', ')}]) as privilege
where has_table_privilege(to_regclass(name), privilege)`
const ABOUT = `select quote_ident(current_user) as user, current_setting('is_superuser', true) as superuser,
  exists (select 1 from pg_tables where tablename = 'oauth_clients' and tableowner = current_user) as owner`

/** The privileges of the session's user, directly or through a role. */
async function postgresPrivilegeDiagnostics(execute: Execute): Promise<readonly Diagnostic[]> {
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
