import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import type { Logger } from '../../../../logger.ts'
import type { PoolLoad } from '../../../contract/backend.ts'
import type { Connected, Dialect, Execute } from '../../core/dialect.ts'
import { createMigrations } from '../../migrate/migrate.ts'
import { sqliteFacts } from './diagnostics.ts'
import { FileTroubles, failureOf } from './errors.ts'
import { SqliteHandle } from './handle.ts'
import { provideFile, sqliteFile, temporaryFile } from './location.ts'
import { openSqliteMigration } from './migration-session.ts'
import { SqliteScanner } from './scanner.ts'
import { setUpHandle } from './set-up-handle.ts'
import { walLimitFor } from './wal-limit.ts'
import { SqliteWriter } from './writer.ts'

/** A reader meets a lock only while a log is recovered or folded back. */
const READER_BUSY_TIMEOUT_MS = 50
/** The one connection that reads answers before anybody can look. */
const READ_AT_ONCE: PoolLoad = Object.freeze({ size: 1, used: 0, waiting: 0 })

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
    return await connectTo(file, walLimit, log, true)
  },
  connectForMigration: async (url, _settings, log) => {
    const file = sqliteFile(url)
    if (file === null) throw new Error('a database in memory is migrated when it is opened')
    provideFile(file, log)
    return await openSqliteMigration(file)
  },
  facts: sqliteFacts,
} satisfies Dialect)

/** The writer opens first: it makes the log that a reader cannot make. */
async function connectTo(file: string, mostOfWal: number, log: Logger, mayReopen: boolean): Promise<Connected> {
  const walLimit = walLimitFor(file, mostOfWal)
  const troubles = new FileTroubles(file)
  const writer = new SqliteWriter(troubles, walLimit, log, mayReopen)
  await writer.open()
  const guarded = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw troubles.of(failureOf(error), error)
    }
  }
  try {
    const reader = guarded(() => new SqliteHandle(file, { readonly: true, timeout: READER_BUSY_TIMEOUT_MS }))
    setUpHandle(reader, walLimit)
    const execute: Execute = async (statement) => guarded(() => reader.run(statement))
    // A file that has lost its name cannot be opened a third time.
    const scanner = mayReopen ? new SqliteScanner(troubles, walLimit) : null
    return {
      execute,
      scan: scanner?.execute ?? execute,
      // One transaction writes at a time.
      writers: { append: writer, drafts: writer, transactions: [] },
      readLoad: () => READ_AT_ONCE,
      close: async () => {
        reader.close()
        await scanner?.close()
        await writer.close()
      },
    }
  } catch (error) {
    await writer.close()
    throw error
  }
}

/**
 * Two connections cannot share SQLite's own memory databases without locking
 * each other out, so this is a file without a name: migrated, opened twice, and
 * removed from its directory.
 */
async function connectToMemory(walLimit: number, log: Logger): Promise<Connected> {
  const { file, vanish } = temporaryFile()
  try {
    const migrations = createMigrations(sqlite, await openSqliteMigration(file))
    await migrations.up()
    await migrations.close()
    const connected = await connectTo(file, walLimit, log, false)
    // Each connection opens the log with its first look.
    await connected.writers.append.probe()
    await connected.execute({ sql: 'select 1 from oauth_clients', parameters: [] })
    return connected
  } finally {
    vanish()
  }
}
