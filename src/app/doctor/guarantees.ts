/**
 * The guarantees of each database. The table of docs/databases.md is written from
 * here, and `qscope doctor` reports those of the configured database.
 */

/** The supported databases in their common deployments, with their names in the table. */
export const DEPLOYMENTS = Object.freeze({
  sqlite: 'SQLite',
  libsql: 'libSQL, file',
  libsqlServer: 'libSQL, server',
  mysql: 'MySQL',
  groupOnePrimary: 'MySQL group, one primary',
  groupManyPrimaries: 'MySQL group, several primaries',
  semiSynchronousPair: 'MySQL, semi-synchronous pair',
  mariadb: 'MariaDB',
  galera: 'Galera',
  postgres: 'PostgreSQL',
} as const)

export type Deployment = keyof typeof DEPLOYMENTS

/** The test that shows it. `notRun`: it should hold, but is not tested. `none`: not applicable. */
export type Evidence = `test/${string}` | 'notRun' | 'none'

export interface Guarantee {
  readonly name: string
  /** A sentence without its full stop. */
  readonly claim: string
  /** The diagnostics on which it depends. Empty: it depends only on QScope. */
  readonly dependsOn: readonly string[]
  /** Whether it does not apply to a URL with one host. */
  readonly needsSeveralHosts?: true
  /** Default: `notRun`. */
  readonly evidence: Readonly<Partial<Record<Deployment, Evidence>>>
}

const KILLED = 'test/cluster/killed-database.storm.slow.test.ts'
const TWO_INSTANCES = 'test/cluster/two-instances.storm.slow.test.ts'
const GROUP = 'test/cluster/group-replication.slow.test.ts'
const PARTITION = 'test/cluster/group-partition.slow.test.ts'
const PAIR = 'test/cluster/semi-synchronous-pair.slow.test.ts'
const GALERA = 'test/cluster/galera.storm.slow.test.ts'
const RACES = 'test/races/one-redemption.storm.database.test.ts'
const SWITCH_OVER = 'test/cluster/switch-over.slow.test.ts'
const UNCONFIRMED = 'test/stores/unconfirmed-commits.servers.test.ts'
const SESSIONS = 'test/stores/session-settings.slow.test.ts'
const DUMB = 'test/stores/dumb-network.storm.slow.test.ts'
const BACKUP = 'test/e2e/backup.slow.test.ts'
const GRANTS = 'test/stores/grants.servers.test.ts'
const AUDIT = 'test/stores/schema-audit.slow.test.ts'
const CONTRACT = 'test/stores/contract.database.test.ts'
const PLANS = 'test/app/explain-sql.database.test.ts'
const CLOCK = 'test/app/clock-jumps.storm.database.test.ts'
const ROLLING = 'test/stores/schema-rolling.database.test.ts'
const PURGE = 'test/app/purge.database.test.ts'
const LIBSQL_SERVER = 'test/stores/libsql-server.slow.test.ts'
const FULL_DISK = 'test/e2e/full-disk.slow.test.ts'

export function evidenceOf({ evidence }: Guarantee, deployment: Deployment): Evidence {
  return evidence[deployment] ?? 'notRun'
}

export const GUARANTEES: readonly Guarantee[] = Object.freeze([
  {
    name: 'durable',
    claim: 'an answered change survives a crash',
    dependsOn: [
      'innodb_flush_log_at_trx_commit',
      'sync_binlog',
      'semi_synchronous_replicas',
      'synchronous_commit',
      'fsync',
      'full_page_writes',
      'journal_mode',
      'synchronous',
    ],
    evidence: {
      sqlite: 'test/e2e/durability.storm.slow.test.ts',
      libsqlServer: LIBSQL_SERVER,
      mysql: KILLED,
      groupOnePrimary: GROUP,
      semiSynchronousPair: PAIR,
      galera: GALERA,
      postgres: KILLED,
    },
  },
  {
    name: 'races',
    claim: 'a code or token used in parallel is accepted once',
    dependsOn: ['isolation', 'session', 'foreign_keys'],
    evidence: {
      sqlite: RACES,
      libsql: RACES,
      libsqlServer: RACES,
      mysql: RACES,
      groupOnePrimary: GROUP,
      groupManyPrimaries: GROUP,
      semiSynchronousPair: PAIR,
      mariadb: RACES,
      galera: GALERA,
      postgres: RACES,
    },
  },
  {
    name: 'revocation',
    claim: 'once one instance has revoked, every instance refuses from the next call on',
    dependsOn: ['isolation', 'wsrep_sync_wait', 'group_replication_consistency', 'group members', 'group member'],
    evidence: {
      sqlite: TWO_INSTANCES,
      mysql: TWO_INSTANCES,
      groupOnePrimary: PARTITION,
      groupManyPrimaries: GROUP,
      mariadb: TWO_INSTANCES,
      postgres: TWO_INSTANCES,
    },
  },
  {
    name: 'read-your-writes',
    claim: 'every instance reads what another instance has answered',
    dependsOn: ['isolation', 'wsrep_sync_wait', 'group_replication_consistency'],
    evidence: {
      sqlite: TWO_INSTANCES,
      mysql: TWO_INSTANCES,
      groupManyPrimaries: GROUP,
      mariadb: TWO_INSTANCES,
      postgres: TWO_INSTANCES,
    },
  },
  {
    name: 'fail-over',
    claim: 'the server fails over to the next host of the URL',
    dependsOn: [],
    needsSeveralHosts: true,
    evidence: {
      sqlite: 'none',
      libsql: 'none',
      libsqlServer: 'none',
      mysql: SWITCH_OVER,
      groupOnePrimary: GROUP,
      groupManyPrimaries: GROUP,
      semiSynchronousPair: PAIR,
      galera: GALERA,
      postgres: SWITCH_OVER,
    },
  },
  {
    name: 'unconfirmed-commits',
    claim: 'the outcome of an unconfirmed commit is looked up',
    dependsOn: [],
    evidence: { libsqlServer: UNCONFIRMED, mysql: UNCONFIRMED, postgres: UNCONFIRMED },
  },
  {
    name: 'sessions',
    claim: 'session settings are set and verified',
    dependsOn: ['session', 'isolation'],
    evidence: { sqlite: 'none', libsql: 'none', mysql: SESSIONS, mariadb: SESSIONS, postgres: SESSIONS },
  },
  {
    name: 'dead-connections',
    claim: 'a connection that does not answer is closed in time',
    dependsOn: [],
    evidence: { sqlite: 'none', libsql: 'none', libsqlServer: LIBSQL_SERVER, mysql: DUMB, postgres: DUMB },
  },
  {
    name: 'bytes',
    claim: 'names that differ in one byte are different',
    dependsOn: ['collation', 'encoding', 'session'],
    evidence: {
      sqlite: CONTRACT,
      libsql: CONTRACT,
      libsqlServer: CONTRACT,
      mysql: CONTRACT,
      mariadb: CONTRACT,
      postgres: CONTRACT,
    },
  },
  {
    name: 'audit',
    claim: 'the database refuses to change audit events',
    dependsOn: ['audit log'],
    evidence: { sqlite: AUDIT, mysql: AUDIT, mariadb: AUDIT, postgres: AUDIT },
  },
  {
    name: 'least-privilege',
    claim: 'a server works with the documented privileges only',
    dependsOn: ['missing_privileges', 'privileges'],
    evidence: {
      sqlite: 'none',
      libsql: 'none',
      libsqlServer: 'none',
      mysql: GRANTS,
      mariadb: GRANTS,
      postgres: GRANTS,
    },
  },
  {
    name: 'clock',
    claim: 'a jump of the clock loses no data',
    dependsOn: ['clock'],
    evidence: { sqlite: CLOCK, mysql: CLOCK, mariadb: CLOCK, postgres: CLOCK },
  },
  {
    name: 'backup',
    claim: 'the documented backup restores everything',
    dependsOn: [],
    evidence: { sqlite: BACKUP, mysql: BACKUP, mariadb: BACKUP, postgres: BACKUP },
  },
  {
    name: 'upgrades',
    claim: 'servers keep working during a schema migration',
    dependsOn: [],
    evidence: { sqlite: ROLLING, mysql: ROLLING, mariadb: ROLLING, postgres: ROLLING },
  },
  {
    name: 'plans',
    claim: 'no flow scans a table that grows',
    dependsOn: [],
    evidence: { sqlite: PLANS, libsql: PLANS, mysql: PLANS, mariadb: PLANS, postgres: PLANS },
  },
  {
    name: 'size',
    claim: 'expired rows are counted and deleted',
    dependsOn: [],
    evidence: { sqlite: PURGE, mysql: PURGE, mariadb: PURGE, postgres: PURGE },
  },
  {
    name: 'full-disk',
    claim: 'a full disk loses no data, and the server recovers',
    dependsOn: ['free_space'],
    evidence: { sqlite: FULL_DISK, libsql: FULL_DISK },
  },
])
