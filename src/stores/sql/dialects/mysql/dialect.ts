import { MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler, sql } from 'kysely'
import type { Dialect } from '../../core/dialect.ts'
import { ServerDatabase } from '../../server/server-database.ts'
import { mysqlDiagnostics } from './diagnostics.ts'
import { MysqlDriver } from './driver.ts'
import { MysqlMigrationSession } from './migration-session.ts'
import { mysqlPlan } from './plan.ts'

/** MySQL, MariaDB and compatible servers. */
export const mysql: Dialect = Object.freeze({
  name: 'mysql',
  kysely: {
    createAdapter: () => new MysqlAdapter(),
    createQueryCompiler: () => new MysqlQueryCompiler(),
    createIntrospector: (db) => new MysqlIntrospector(db),
  },
  now: sql`cast(unix_timestamp(now(3)) * 1000 as signed)`,
  connect: (url, settings, log) => ServerDatabase.open(new MysqlDriver(), url, settings, log),
  connectForMigration: (url, settings) => MysqlMigrationSession.open(url, settings),
  diagnostics: mysqlDiagnostics,
  explain: mysqlPlan,
} satisfies Dialect)
