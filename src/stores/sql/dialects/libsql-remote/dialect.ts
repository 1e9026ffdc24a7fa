import type { Dialect } from '../../core/dialect.ts'
import { sqliteKysely, sqliteNow } from '../sqlite/embedded-dialect.ts'
import { sqlitePlan } from '../sqlite/plan.ts'
import { RemoteDatabase } from './database.ts'
import { remoteDiagnostics } from './diagnostics.ts'
import { RemoteMigrationSession } from './migration-session.ts'

/** libSQL on a server, for example Turso, over HTTP. */
export const libsqlRemote: Dialect = Object.freeze({
  name: 'libsql-remote',
  kysely: sqliteKysely,
  now: sqliteNow,
  connect: (url, settings, log) => RemoteDatabase.open(url, settings, log),
  connectForMigration: async (url, settings, log) => new RemoteMigrationSession(url, settings, log),
  diagnostics: remoteDiagnostics,
  explain: sqlitePlan,
} satisfies Dialect)
