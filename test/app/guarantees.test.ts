import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { deploymentOf, guaranteeFindings } from '../../src/app/doctor/examine-guarantees.ts'
import { ok, warning } from '../../src/app/doctor/finding.ts'
import { type Deployment, GUARANTEES } from '../../src/app/doctor/guarantees.ts'
import type { Diagnostic, DialectName } from '../../src/stores/contract/backend.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const APPEND_ONLY = ok('audit log', 'append-only: triggers refuse changes')

/** A suite that runs on every database it is asked to, or names this one. */
const EVERY = /\b(databaseKinds|onEveryBackend|onEveryKind)\b/
const NAMED: Readonly<Record<Deployment, RegExp>> = {
  sqlite: /\bsqlite/i,
  libsql: /\blibsql/i,
  libsqlServer: /\blibsql/i,
  mysql: /\bmysql/i,
  groupOnePrimary: /one primary|cut off from its group/,
  groupManyPrimaries: /all primaries/,
  semiSynchronousPair: /semi-?synchronous/i,
  mariadb: /\bmariadb/i,
  galera: /\bGalera/,
  postgres: /\bpostgres/i,
}

const shown = GUARANTEES.flatMap(({ name, evidence }) =>
  Object.entries(evidence).flatMap(([deployment, test]) =>
    test === 'notRun' || test === 'none' ? [] : [[name, deployment as Deployment, test] as const],
  ),
)

describe('what is said to be shown', () => {
  it('is most of what there is', () => {
    expect(shown.length).toBeGreaterThan(60)
  })

  it.each(shown)('%s on %s is, by %s', (_name, deployment, test) => {
    const file = join(ROOT, test)
    expect(existsSync(file)).toBe(true)
    const text = readFileSync(file, 'utf8')
    // SQLite is what the suites of a server within a process, and those of processes, run on.
    const isOfSqlite = deployment === 'sqlite' && /\.(sqlite|process)\.test\.ts$/.test(test)
    expect(isOfSqlite || EVERY.test(text) || NAMED[deployment].test(text)).toBe(true)
  })
})

const told = (name: string, value: string, text: string | null = null): Diagnostic => ({ name, value, warning: text })

describe('the database at hand is taken for', () => {
  it.each([
    ['sqlite', 'sqlite', []],
    ['postgres', 'postgres', []],
    ['mysql', 'mysql', [told('version', '9.7.4 (MySQL Community Server)')]],
    ['mariadb', 'mysql', [told('version', '10.11.14-MariaDB (Debian)')]],
    ['galera', 'mysql', [told('version', '10.11.14-MariaDB (Debian)'), told('wsrep_cluster_size', '3')]],
    ['semiSynchronousPair', 'mysql', [told('version', '9.7.4'), told('semi_synchronous_replicas', '1')]],
    ['groupOnePrimary', 'mysql', [told('version', '9.7.4'), told('group mode', 'one primary')]],
    ['groupManyPrimaries', 'mysql', [told('version', '9.7.4'), told('group mode', 'several primaries')]],
    ['libsql', 'libsql', []],
    ['libsqlServer', 'libsql-remote', []],
  ] as const)('%s', (deployment, dialect, diagnostics) => {
    expect(deploymentOf({ dialect, diagnostics })).toBe(deployment)
  })
})

describe('the guarantees of the database at hand', () => {
  const findings = (
    diagnostics: readonly Diagnostic[],
    { dialect = 'mysql' as DialectName, hosts = 2, auditLog = APPEND_ONLY } = {},
  ) => new Map(guaranteeFindings({ dialect, diagnostics, hosts, auditLog }).map((each) => [each.check, each] as const))

  it('hold where no setting stands in the way', () => {
    const all = findings([told('version', '9.7.4'), told('sync_binlog', '1'), told('isolation', 'READ-COMMITTED')])
    expect([...all.values()].filter(({ state }) => state !== 'ok')).toEqual([])
    expect(all.get('guarantee durable')?.finding).toBe('an answered change survives a crash')
  })

  it.each([
    ['durable', 'innodb_flush_log_at_trx_commit'],
    ['durable', 'sync_binlog'],
    ['durable', 'semi_synchronous_replicas'],
    ['durable', 'synchronous_commit'],
    ['durable', 'fsync'],
    ['durable', 'full_page_writes'],
    ['revocation', 'wsrep_sync_wait'],
    ['revocation', 'group members'],
    ['races', 'isolation'],
    ['bytes', 'collation'],
    ['least-privilege', 'privileges'],
    ['clock', 'clock'],
  ])('do not: %s, with a warning about %s', (name, setting) => {
    const { state, advice } = findings([told(setting, 'wrong', 'mend it')]).get(`guarantee ${name}`) ?? {}
    expect({ state, advice }).toEqual({ state: 'warning', advice: `fix database ${setting}` })
  })

  it('do not: audit events that this user may change', () => {
    const auditLog = warning('audit log', 'may be changed', 'revoke the right')
    expect(findings([], { auditLog }).get('guarantee audit')).toMatchObject({ state: 'warning' })
  })

  it('say that one host fails over to none', () => {
    expect(findings([], { hosts: 1 }).get('guarantee fail-over')?.finding).toMatch(/^does not hold: .* one host$/)
    expect(findings([]).get('guarantee fail-over')?.finding).toBe('the server fails over to the next host of the URL')
  })

  it('say what no test has shown there', () => {
    const galera = [told('version', '10.11-MariaDB'), told('wsrep_cluster_size', '3')]
    expect(findings(galera).get('guarantee backup')?.finding).toMatch(/; not tested on Galera$/)
    expect(findings(galera).get('guarantee durable')?.finding).not.toContain('no test')
  })

  it('leave out what the database has nothing of', () => {
    expect(findings([], { dialect: 'sqlite' }).has('guarantee fail-over')).toBe(false)
  })
})
