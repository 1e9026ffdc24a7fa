import type { Config } from '../../config/config.ts'
import type { Diagnostic } from '../../stores/contract/backend.ts'
import { AUDIT_LOG_CHANGES, NO_CHANGES } from '../../stores/sql/diagnostics.ts'
import type { AuditProtection } from '../../stores/sql/migrate/bookkeeping.ts'
import { MISSING_PRIVILEGES } from '../../stores/sql/needed-privileges.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

/** What a database tells of itself, against what this process asks of it. */
export function databaseFactFindings(
  facts: readonly Diagnostic[],
  protection: AuditProtection | null,
  { connections: { poolSize } }: Config,
): readonly Finding[] {
  const told = facts.filter(({ name }) => name !== AUDIT_LOG_CHANGES)
  return [
    ...told.map((fact) => findingOf(fact.name === 'max_connections' ? sizedUp(fact, poolSize) : fact)),
    auditLogFinding(protection, facts.find(({ name }) => name === AUDIT_LOG_CHANGES)?.value ?? NO_CHANGES),
  ]
}

function findingOf({ name, value, warning: concern }: Diagnostic): Finding {
  const check = `database ${name}`
  if (name === MISSING_PRIVILEGES && concern !== null) return problem(check, value, concern)
  return concern === null ? ok(check, value) : warning(check, value, concern)
}

function sizedUp(fact: Diagnostic, poolSize: number): Diagnostic {
  if (!(Number(fact.value) <= poolSize)) return fact
  const concern = `this process alone may open ${poolSize}: raise it, or lower QSCOPE_DATABASE_POOL_SIZE`
  return { ...fact, warning: concern }
}

function auditLogFinding(protection: AuditProtection | null, changes: string): Finding {
  if (protection === 'triggers') return ok('audit log', 'append-only: triggers refuse changes')
  if (changes === NO_CHANGES) return ok('audit log', "append-only: this process's user has no right to change it")
  return warning(
    'audit log',
    `this process's user has the right to ${changes}, and no trigger refuses it`,
    'revoke that right (docs/databases.md), or run: qscope migrate up --audit=triggers',
  )
}
