import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from 'kysely'
import type { Dialect } from '../../core/dialect.ts'
import { ServerDatabase } from '../../server/server-database.ts'
import { postgresDiagnostics } from './diagnostics.ts'
import { PostgresDriver } from './driver.ts'
import { PostgresMigrationSession } from './migration-session.ts'
import { postgresPlan } from './plan.ts'

/** PostgreSQL and compatible servers. */
export const postgres: Dialect = Object.freeze({
  name: 'postgres',
  kysely: {
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  },
  // now() would be the start of the transaction.
  now: sql`cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint)`,
  connect: (url, settings, log) => ServerDatabase.open(new PostgresDriver(), url, settings, log),
  connectForMigration: (url, settings) => PostgresMigrationSession.open(url, settings),
  diagnostics: postgresDiagnostics,
  explain: postgresPlan,
} satisfies Dialect)
