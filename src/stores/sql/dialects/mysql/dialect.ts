import { MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler } from 'kysely'
import type { Dialect } from '../../core/dialect.ts'
import { connectServer } from '../../server/connect-server.ts'
import { withoutMigrationLock } from '../../server/migration-lock.ts'
import { mysqlFacts } from './diagnostics.ts'
import { mysqlDriver } from './driver.ts'
import { openMysqlMigration } from './migration-session.ts'

/** MySQL, MariaDB, and what speaks their protocol. */
export const mysql: Dialect = Object.freeze({
  name: 'mysql',
  kysely: {
    createAdapter: () => withoutMigrationLock(new MysqlAdapter()),
    createQueryCompiler: () => new MysqlQueryCompiler(),
    createIntrospector: (db) => new MysqlIntrospector(db),
  },
  connect: (url, settings, log) => connectServer(mysqlDriver, url, settings, log),
  connectForMigration: (url, settings) => openMysqlMigration(url, settings),
  facts: mysqlFacts,
} satisfies Dialect)
