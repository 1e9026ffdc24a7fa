import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, sql } from 'kysely'
import type { Logger } from '../../../../context.ts'
import type { Dialect } from '../../core/dialect.ts'
import { DatabaseMigrations } from '../../migrate/migrate.ts'
import { embeddedDiagnostics } from './diagnostics.ts'
import { SqliteDatabase } from './driver.ts'
import type { SqliteLibrary } from './library.ts'
import { embeddedFile, provideFile, temporaryFile } from './location.ts'
import { SqliteMigrationSession } from './migration-session.ts'
import { sqlitePlan } from './plan.ts'

/** Kysely's dialect for SQLite and its derivatives. */
export const sqliteKysely: Dialect['kysely'] = Object.freeze({
  createAdapter: () => new SqliteAdapter(),
  createQueryCompiler: () => new SqliteQueryCompiler(),
  createIntrospector: (db) => new SqliteIntrospector(db),
} satisfies Dialect['kysely'])

/** Julian days, from noon in 4714 BC. */
export const sqliteNow: Dialect['now'] = sql`cast(round((julianday('now') - 2440587.5) * 86400000) as integer)`

/** A database in SQLite's format, in a file or in memory, with the given library. `product`: its name in doctor's output. */
export function embeddedDialect(name: 'sqlite' | 'libsql', product: string, library: SqliteLibrary): Dialect {
  const dialect: Dialect = Object.freeze({
    name,
    kysely: sqliteKysely,
    now: sqliteNow,
    connect: async (url, { walLimit }, log) => {
      const file = embeddedFile(url)
      if (file === null) return await connectToMemory(dialect, library, walLimit, log)
      provideFile(file, log)
      return await SqliteDatabase.open(library, file, walLimit, log, true)
    },
    connectForMigration: async (url, _settings, log) => {
      const file = embeddedFile(url)
      if (file === null) throw new Error('a database in memory is migrated when it is opened')
      provideFile(file, log)
      return await SqliteMigrationSession.open(library.open, file)
    },
    diagnostics: (execute) => embeddedDiagnostics(execute, product),
    explain: sqlitePlan,
  } satisfies Dialect)
  return dialect
}

/**
 * Two connections to one of SQLite's in-memory databases would lock each other out. This is a file instead: migrated, opened
 * twice, and unlinked.
 */
async function connectToMemory(
  dialect: Dialect,
  library: SqliteLibrary,
  walLimit: number,
  log: Logger,
): Promise<SqliteDatabase> {
  const { file, remove } = temporaryFile()
  try {
    const migrations = new DatabaseMigrations(dialect, await SqliteMigrationSession.open(library.open, file))
    await migrations.up()
    await migrations.close()
    const database = await SqliteDatabase.open(library, file, walLimit, log, false)
    // Each connection opens the log with its first query.
    await database.writers.append.probe()
    await database.execute({ sql: 'select 1 from oauth_clients', parameters: [] })
    return database
  } finally {
    remove()
  }
}
