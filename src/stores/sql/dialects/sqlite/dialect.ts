import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import type { Logger } from '../../../../context.ts'
import type { Dialect } from '../../core/dialect.ts'
import { DatabaseMigrations } from '../../migrate/migrate.ts'
import { sqliteDiagnostics } from './diagnostics.ts'
import { SqliteDatabase } from './driver.ts'
import { provideFile, sqliteFile, temporaryFile } from './location.ts'
import { SqliteMigrationSession } from './migration-session.ts'
import { sqlitePlan } from './plan.ts'

/** SQLite, in a file or in memory. */
export const sqlite: Dialect = Object.freeze({
  name: 'sqlite',
  kysely: {
    createAdapter: () => new SqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  },
  connect: async (url, { walLimit }, log) => {
    const file = sqliteFile(url)
    if (file === null) return await connectToMemory(walLimit, log)
    provideFile(file, log)
    return await SqliteDatabase.open(file, walLimit, log, true)
  },
  connectForMigration: async (url, _settings, log) => {
    const file = sqliteFile(url)
    if (file === null) throw new Error('a database in memory is migrated when it is opened')
    provideFile(file, log)
    return await SqliteMigrationSession.open(file)
  },
  diagnostics: sqliteDiagnostics,
  explain: sqlitePlan,
} satisfies Dialect)

/**
 * Two connections cannot share SQLite's own memory databases without locking
 * each other out, so this is a file without a name: migrated, opened twice, and
 * removed from its directory.
 */
async function connectToMemory(walLimit: number, log: Logger): Promise<SqliteDatabase> {
  const { file, remove } = temporaryFile()
  try {
    const migrations = new DatabaseMigrations(sqlite, await SqliteMigrationSession.open(file))
    await migrations.up()
    await migrations.close()
    const database = await SqliteDatabase.open(file, walLimit, log, false)
    // Each connection opens the log with its first look.
    await database.writers.append.probe()
    await database.execute({ sql: 'select 1 from oauth_clients', parameters: [] })
    return database
  } finally {
    remove()
  }
}
