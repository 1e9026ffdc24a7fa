import type { Diagnostic, DialectName } from '../../stores/contract/backend.ts'
import { type Finding, ok, warning } from './finding.ts'
import { DEPLOYMENTS, type Deployment, evidenceOf, GUARANTEES, type Guarantee } from './guarantees.ts'

/** The known facts of the current database. */
export interface DatabaseFacts {
  readonly dialect: DialectName
  readonly diagnostics: readonly Diagnostic[]
  /** The number of hosts in its URL. */
  readonly hosts: number
  /** The protection of the audit log. */
  readonly auditLog: Finding
}

/** The guarantees that hold on the current database, as far as its settings show. */
export function guaranteeFindings(facts: DatabaseFacts): readonly Finding[] {
  const deployment = deploymentOf(facts)
  return GUARANTEES.filter((guarantee) => evidenceOf(guarantee, deployment) !== 'none').map((guarantee) =>
    findingOf(guarantee, deployment, facts),
  )
}

/** The deployment of the database, as far as it is known. */
export function deploymentOf({ dialect, diagnostics }: Pick<DatabaseFacts, 'dialect' | 'diagnostics'>): Deployment {
  const shown = (name: string) => diagnostics.find((each) => each.name === name)?.value
  switch (dialect) {
    case 'mysql': {
      if (shown('wsrep_cluster_size') !== undefined) return 'galera'
      if (shown('version')?.includes('MariaDB')) return 'mariadb'
      const mode = shown('group mode')
      if (mode === undefined) return shown('semi_synchronous_replicas') === undefined ? 'mysql' : 'semiSynchronousPair'
      return mode === 'one primary' ? 'groupOnePrimary' : 'groupManyPrimaries'
    }
    case 'postgres':
      return 'postgres'
    case 'libsql':
      return 'libsql'
    case 'libsql-remote':
      return 'libsqlServer'
    case 'sqlite':
      return 'sqlite'
    default:
      return dialect satisfies never
  }
}

function findingOf(guarantee: Guarantee, deployment: Deployment, facts: DatabaseFacts): Finding {
  const { name, claim, dependsOn, needsSeveralHosts = false } = guarantee
  const check = `guarantee ${name}`
  if (needsSeveralHosts && facts.hosts < 2) return ok(check, 'does not hold: the URL names one host')
  const settings = facts.diagnostics.filter((each) => dependsOn.includes(each.name))
  const inTheWay = [
    ...settings.filter((each) => each.warning !== null).map((each) => `database ${each.name}`),
    ...(dependsOn.includes(facts.auditLog.check) && facts.auditLog.state !== 'ok' ? [facts.auditLog.check] : []),
  ]
  if (inTheWay.length > 0) {
    return warning(check, `not certain: ${claim}`, `fix ${inTheWay.join(', ')}`)
  }
  const addition = evidenceOf(guarantee, deployment) === 'notRun' ? `; not tested on ${DEPLOYMENTS[deployment]}` : ''
  return ok(check, `${claim}${addition}`)
}
