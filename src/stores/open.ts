import { BatchScheduler } from '../batching.ts'
import type { Logger } from '../context.ts'
import { parseLibsqlUrl } from '../domain/libsql-url.ts'
import type { AuditSeal } from './contract/audit-log.ts'
import type { Backend } from './contract/backend.ts'
import type { Migrations } from './contract/migrations.ts'
import type { RevocationTelling } from './contract/revocations.ts'
import type { SchemaState } from './contract/schema-state.ts'
import type { StatementObserver } from './contract/statement-plans.ts'
import type { StoreObserver } from './contract/store-observer.ts'
import { DatabaseError, withStoreErrors } from './sql/core/database-error.ts'
import type { ConnectionSettings, Dialect } from './sql/core/dialect.ts'
import { embeddedFile } from './sql/dialects/sqlite/location.ts'
import { SqlBackend } from './sql/engine/backend.ts'
import { RolledBackDatabase } from './sql/engine/rolled-back-database.ts'
import { NO_BOOKKEEPING, schemaStateOf } from './sql/migrate/bookkeeping.ts'
import { DatabaseMigrations, InMemoryMigrations } from './sql/migrate/migrate.ts'
import { MIGRATIONS } from './sql/migrate/steps/all.ts'
import type { MigrationStep } from './sql/migrate/steps/migration-step.ts'

const loadLibsql = async () => (await import('./sql/dialects/libsql/dialect.ts')).libsql
const loadLibsqlRemote = async () => (await import('./sql/dialects/libsql-remote/dialect.ts')).libsqlRemote
const loadSqlite = async () => (await import('./sql/dialects/sqlite/dialect.ts')).sqlite
const loadMysql = async () => (await import('./sql/dialects/mysql/dialect.ts')).mysql
const loadPostgres = async () => (await import('./sql/dialects/postgres/dialect.ts')).postgres

/** The dialect for each URL scheme. It is loaded on demand, because each client library costs startup time and memory. */
const DIALECTS: Readonly<Record<string, () => Promise<Dialect>>> = Object.freeze({
  'sqlite:': loadSqlite,
  'libsql:': loadLibsql,
  'http:': loadLibsqlRemote,
  'https:': loadLibsqlRemote,
  'mysql:': loadMysql,
  'mariadb:': loadMysql,
  'postgres:': loadPostgres,
  'postgresql:': loadPostgres,
})

const MAX_QUEUED_CALLS = 10_000

export const CONNECTION_DEFAULTS: ConnectionSettings = Object.freeze({
  walLimit: 67_108_864,
  poolSize: 15,
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 10_000,
  tls: null,
  authToken: null,
})

export interface BackendOptions {
  readonly seal: AuditSeal
  /** Determines the revocation keys of ended facts. */
  readonly telling: RevocationTelling
  readonly log: Logger
  /** Returns a fresh UUID, which identifies a chain of the audit log. */
  readonly newId: () => string
  /** Returns a random number in [0, 1), which spreads retries. */
  readonly jitter: () => number
  /** Shared with the transports that begin calls. By default the backend has its own. */
  readonly scheduler?: BatchScheduler
  /** The number of calls that may wait in each lane before more are refused. Default: 10,000. */
  readonly maxQueuedCalls?: number
  /** The settings of a database on a server. Missing ones have defaults. */
  readonly connections?: Partial<ConnectionSettings>
  readonly observer?: StoreObserver | undefined
  /** The migrations that this server knows. Default: all. */
  readonly migrations?: readonly MigrationStep[]
}

/**
 * Opens a database for serving:
 *
 * - `sqlite:./path/file.db`, created empty if absent;
 * - `sqlite::memory:`, migrated and gone when closed;
 * - `libsql:./path/file.db`, the same by libSQL;
 * - `libsql://host`, `https://host` or `http://host`, for libSQL on a server;
 * - `mysql://user:password@host:port,host:port/database`, for MySQL and MariaDB;
 * - `postgres://user:password@host:port,host:port/database`, for PostgreSQL.
 *
 * `check()` reports whether the schema fits. Throws `StoreError` if the
 * database cannot be opened at all.
 */
export async function openBackend(url: string, options: BackendOptions): Promise<Backend> {
  return await withStoreErrors(async () => {
    const dialect = await dialectOf(url)
    const connected = await dialect.connect(url, { ...CONNECTION_DEFAULTS, ...options.connections }, options.log)
    const scheduler = options.scheduler ?? new BatchScheduler()
    return new SqlBackend(dialect, connected, { maxQueuedCalls: MAX_QUEUED_CALLS, ...options, scheduler })
  })
}

/**
 * Opens a database whose changes are not kept: all work is one transaction, which `close` rolls back. Until then it locks the
 * rows that it writes, on SQLite the whole database. The observer gets each statement.
 */
export async function openRolledBack(
  url: string,
  options: BackendOptions,
  statements: StatementObserver,
): Promise<Backend> {
  return await withStoreErrors(async () => {
    const dialect = await dialectOf(url)
    const connected = await dialect.connect(url, { ...CONNECTION_DEFAULTS, ...options.connections }, options.log)
    const rolledBack = await RolledBackDatabase.begin(connected, dialect, statements, options.jitter)
    const scheduler = options.scheduler ?? new BatchScheduler()
    return new SqlBackend(dialect, rolledBack, { maxQueuedCalls: MAX_QUEUED_CALLS, ...options, scheduler })
  })
}

/** Opens a database to change its schema. A database in memory already has its schema, which cannot be undone. */
export async function openMigrations(
  url: string,
  log: Logger,
  connections: Partial<ConnectionSettings> = {},
  steps: readonly MigrationStep[] = MIGRATIONS,
): Promise<Migrations> {
  return await withStoreErrors(async () => {
    if (isInMemory(url)) return new InMemoryMigrations(steps)
    const dialect = await dialectOf(url)
    return new DatabaseMigrations(
      dialect,
      await dialect.connectForMigration(url, { ...CONNECTION_DEFAULTS, ...connections }, log),
      steps,
    )
  })
}

/** The schema state of a database that does not exist yet. */
export function absentSchema(): SchemaState {
  return schemaStateOf(NO_BOOKKEEPING, MIGRATIONS)
}

function isInMemory(url: string): boolean {
  return /^(?:sqlite|libsql):/.test(url) && embeddedFile(url) === null
}

/** The dialect for a database URL. */
export async function dialectOf(url: string): Promise<Dialect> {
  const scheme = url.slice(0, url.indexOf(':') + 1)
  const known = DIALECTS[scheme.toLowerCase()]
  // `libsql:` refers to a file or, with two slashes, to a server.
  const load = known === loadLibsql && parseLibsqlUrl(url) !== null ? loadLibsqlRemote : known
  if (load === undefined) {
    throw new DatabaseError(
      'unavailable',
      `QScope has no database for URLs of ${scheme === '' ? 'this form' : scheme}: use sqlite:, libsql:, mysql: or postgres:`,
    )
  }
  return await load()
}
