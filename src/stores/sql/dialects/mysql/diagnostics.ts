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
  settingDiagnostic,
} from '../../diagnostics.ts'
import { deviationsOf, sessionDiagnostic } from '../../server/session-settings.ts'
import { galeraDiagnostics } from './galera-diagnostics.ts'
import { auditLogChanges, mysqlPrivilegeDiagnostics } from './privileges.ts'
import { SESSION_VARIABLES, settingsFor } from './session.ts'

/** They compare bytes, and trailing spaces count. */
const BYTE_WISE: ReadonlySet<string> = new Set(['utf8mb4_nopad_bin', 'utf8mb4_0900_bin'])

/** Asked by name, because SELECT @@name fails on those that a server does not have. */
const VARIABLES = `show variables where variable_name in ('transaction_isolation', 'tx_isolation',
  'innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog', 'read_only', 'max_connections', 'wsrep_on', 'wsrep_sync_wait')`
const STATUS = `show status where variable_name in ('ssl_version', 'ssl_cipher', 'wsrep_cluster_size',
  'wsrep_cluster_status', 'wsrep_local_state_comment')`

/** Of MySQL, MariaDB and what speaks their protocol. */
export async function mysqlDiagnostics(execute: Execute): Promise<readonly Diagnostic[]> {
  const about = await diagnosticRow(execute, 'select version() as version, @@version_comment as comment')
  const session = await diagnosticPairs(execute, SESSION_VARIABLES)
  const variables = await diagnosticPairs(execute, VARIABLES)
  const status = await diagnosticPairs(execute, STATUS)
  return [
    diagnostic('version', `${about.get('version')} (${about.get('comment')})`),
    isolationDiagnostic(variables),
    sessionDiagnostic(deviationsOf(settingsFor(session), session)),
    await collationDiagnostic(execute),
    ...durabilityDiagnostics(variables),
    ...settingDiagnostic(
      variables,
      'read_only',
      ['off', '0'],
      'nothing can be written here: name a host that takes writes',
    ),
    diagnostic('max_connections', variables.get('max_connections') ?? 'unknown'),
    ...galeraDiagnostics(variables, status),
    await clockDiagnostic(execute, 'select unix_timestamp(now(6)) * 1000 as ms'),
    diagnostic('tls', [status.get('ssl_version'), status.get('ssl_cipher')].filter(Boolean).join(' ') || 'plaintext'),
    auditLogDiagnostic(await auditLogChanges(execute)),
    ...(await mysqlPrivilegeDiagnostics(execute)),
  ]
}

function isolationDiagnostic(variables: DiagnosticRow): Diagnostic {
  const level = variables.get('transaction_isolation') ?? variables.get('tx_isolation') ?? 'unknown'
  const warning = 'QScope asks for READ-COMMITTED in each session; does something between it and the server undo that?'
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
