import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import type { Dialect } from '../../core/dialect.ts'
import { connectServer } from '../../server/connect-server.ts'
import { withoutMigrationLock } from '../../server/migration-lock.ts'
import { postgresFacts } from './diagnostics.ts'
import { postgresDriver } from './driver.ts'
import { openPostgresMigration } from './migration-session.ts'

/** PostgreSQL, and what speaks its protocol. */
export const postgres: Dialect = Object.freeze({
  name: 'postgres',
  kysely: {
    createAdapter: () => withoutMigrationLock(new PostgresAdapter()),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  },
  connect: (url, settings, log) => connectServer(postgresDriver, url, settings, log),
  connectForMigration: (url, settings) => openPostgresMigration(url, settings),
  facts: postgresFacts,
} satisfies Dialect)
