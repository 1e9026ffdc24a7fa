import type { Diagnostic } from '../../../contract/backend.ts'
import type { Execute } from '../../core/dialect.ts'
import {
  auditLogDiagnostic,
  clockDiagnostic,
  type DiagnosticRow,
  diagnostic,
  diagnosticPairs,
  diagnosticRow,
  diagnosticRows,
  privilegeDiagnostics,
  settingDiagnostic,
} from '../../diagnostics.ts'
import { deviationsOf, sessionDiagnostic } from '../../server/session-settings.ts'
import { groupDiagnostics } from './group.ts'
import { SESSION_VARIABLES, settingsFor } from './session.ts'

/** These collations compare bytes, including trailing spaces. */
const BYTE_WISE: ReadonlySet<string> = new Set(['utf8mb4_nopad_bin', 'utf8mb4_0900_bin'])

/** SHOW VARIABLES, because SELECT @@name fails for variables that the server does not have. */
const VARIABLES = `show variables where variable_name in ('transaction_isolation', 'tx_isolation',
  'innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog', 'read_only', 'max_connections', 'wsrep_on', 'wsrep_sync_wait',
  'rpl_semi_sync_source_enabled', 'rpl_semi_sync_master_enabled')`
const STATUS = `show status where variable_name in ('ssl_version', 'ssl_cipher', 'wsrep_cluster_size',
  'wsrep_cluster_status', 'wsrep_local_state_comment', 'rpl_semi_sync_source_clients', 'rpl_semi_sync_source_status',
  'rpl_semi_sync_master_clients', 'rpl_semi_sync_master_status')`

/** For MySQL, MariaDB and compatible servers. */
export async function mysqlDiagnostics(execute: Execute): Promise<readonly Diagnostic[]> {
  const about = await diagnosticRow(execute, 'select version() as version, @@version_comment as comment')
  const session = await diagnosticPairs(execute, SESSION_VARIABLES)
  const variables = await diagnosticPairs(execute, VARIABLES)
  const status = await diagnosticPairs(execute, STATUS)
  return [
    diagnostic('version', `${about.get('version')} (${about.get('comment')})`),
    isolationDiagnostic(variables),
    sessionDiagnostic(deviationsOf(settingsFor(session, 'reads'), session)),
    await collationDiagnostic(execute),
    ...durabilityDiagnostics(variables),
    ...settingDiagnostic(
      variables,
      'read_only',
      ['off', '0'],
      'this server does not accept writes: name a host that does',
    ),
    diagnostic('max_connections', variables.get('max_connections') ?? 'unknown'),
    ...galeraDiagnostics(variables, status),
    ...semiSynchronousDiagnostics(variables, status),
    ...(await groupDiagnostics(execute, session)),
    await clockDiagnostic(execute, 'select unix_timestamp(now(6)) * 1000 as ms'),
    diagnostic('tls', [status.get('ssl_version'), status.get('ssl_cipher')].filter(Boolean).join(' ') || 'plaintext'),
    auditLogDiagnostic(await auditLogChanges(execute)),
    ...(await mysqlPrivilegeDiagnostics(execute)),
  ]
}

function isolationDiagnostic(variables: DiagnosticRow): Diagnostic {
  const level = variables.get('transaction_isolation') ?? variables.get('tx_isolation') ?? 'unknown'
  const warning =
    'QScope sets READ-COMMITTED in each session: check whether something between it and the server changes that'
  return diagnostic('isolation', level, level === 'READ-COMMITTED' ? null : warning)
}

async function collationDiagnostic(execute: Execute): Promise<Diagnostic> {
  const rows = await diagnosticRows(
    execute,
    `select distinct collation_name as collation_name from information_schema.columns
where table_schema = database() and table_name like 'oauth%' and collation_name is not null`,
  )
  const names = rows.map((row) => row.get('collation_name') ?? '')
  const warning = 'some names that differ count as equal: convert the tables to utf8mb4_nopad_bin or utf8mb4_0900_bin'
  return diagnostic(
    'collation',
    names.join(', ') || 'no tables',
    names.every((name) => BYTE_WISE.has(name)) ? null : warning,
  )
}

function durabilityDiagnostics(variables: DiagnosticRow): readonly Diagnostic[] {
  const flush = 'a crash can lose answered calls: set it to 1'
  const diagnostics = settingDiagnostic(variables, 'innodb_flush_log_at_trx_commit', ['1'], flush)
  if (variables.get('log_bin') !== 'ON') return diagnostics
  const binlog = 'after a crash the binary log, and with it the replicas, can differ from the tables: set it to 1'
  return [...diagnostics, ...settingDiagnostic(variables, 'sync_binlog', ['1'], binlog)]
}

/** With two nodes, the loss of one leaves no majority. */
const FEWEST_NODES = 3
/** The bit that makes reads wait for commits of other nodes. */
const WAIT_FOR_READS = 1

/** Empty if the server is not a node of a cluster. */
export function galeraDiagnostics(variables: DiagnosticRow, status: DiagnosticRow): readonly Diagnostic[] {
  if (variables.get('wsrep_on') !== 'ON') return []
  const size = Number(status.get('wsrep_cluster_size'))
  const part = status.get('wsrep_cluster_status') ?? 'unknown'
  const state = status.get('wsrep_local_state_comment') ?? 'unknown'
  const wait = Number(variables.get('wsrep_sync_wait'))
  return [
    diagnostic(
      'wsrep_cluster_size',
      String(size),
      size < FEWEST_NODES ? 'the cluster stops if one more node is lost: run three or more' : null,
    ),
    diagnostic(
      'wsrep_cluster_status',
      part,
      part === 'Primary' ? null : 'this node is cut off from the majority, and refuses statements',
    ),
    diagnostic(
      'wsrep_local_state_comment',
      state,
      state === 'Synced' ? null : 'this node is not synchronized: wait, or name another host first',
    ),
    diagnostic(
      'wsrep_sync_wait',
      String(wait),
      (wait & WAIT_FOR_READS) === WAIT_FOR_READS ? null : 'reads may miss commits of other nodes: set it to 1',
    ),
  ]
}

/** Empty if commits do not wait for a replica. MariaDB keeps the older variable names. */
export function semiSynchronousDiagnostics(variables: DiagnosticRow, status: DiagnosticRow): readonly Diagnostic[] {
  return ['source', 'master'].flatMap((side) => {
    if (variables.get(`rpl_semi_sync_${side}_enabled`) !== 'ON') return []
    const replicas = status.get(`rpl_semi_sync_${side}_clients`) ?? '0'
    const isWaiting = status.get(`rpl_semi_sync_${side}_status`) === 'ON' && replicas !== '0'
    const warning = 'commits do not wait for a replica now: if this server is lost, answered changes may be lost'
    return [diagnostic('semi_synchronous_replicas', replicas, isWaiting ? null : warning)]
  })
}

/** The names under which the server lists this user's privileges: the user and its active role. */
const GRANTEES = `(concat('''', replace(current_user(), '@', '''@'''), ''''), concat('''', current_user(), ''''))`
const GRANTED = `select '*' as table_name, privilege_type as privilege from information_schema.user_privileges
  where grantee in ${GRANTEES}
union all select '*', privilege_type from information_schema.schema_privileges
  where grantee in ${GRANTEES} and database() like replace(table_schema, '\\\\\\\\', '\\\\')
union all select table_name, privilege_type from information_schema.table_privileges
  where grantee in ${GRANTEES} and table_schema = database()`

/** A user with one of these on the whole database counts as its owner. */
const OWNERS = ['ALTER', 'DROP', 'CREATE', 'TRIGGER', 'SUPER']

/** The privileges of the session's user. The server does not list those of roles. */
async function mysqlPrivilegeDiagnostics(execute: Execute): Promise<readonly Diagnostic[]> {
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

/** EXPLAIN of a statement requires the statement's privileges and changes nothing. */
const CHANGES = Object.freeze({
  UPDATE: 'explain update oauth_audit_log set sequence = sequence where 1 = 0',
  DELETE: 'explain delete from oauth_audit_log where 1 = 0',
})

/** The errors of a denied table, a denied column and a missing table. */
const REFUSALS: ReadonlySet<unknown> = new Set([1142, 1143, 1146])

/** The changes of audit events for which this session's user has the privilege. */
async function auditLogChanges(execute: Execute): Promise<readonly string[]> {
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
