import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseError } from '../../core/database-error.ts'
import type { MigrationSession, Statement } from '../../core/dialect.ts'
import { sqliteTypes } from './column-types.ts'
import { failureOf, troubleOf } from './errors.ts'
import { SqliteHandle } from './handle.ts'

/** How long another migrator, or a writing server, is waited for. */
const PATIENCE_MS = 30_000
const POLL_MS = 25

/**
 * One connection, without a thread: whoever migrates has nothing else to do.
 * It waits for locks outside of SQLite, so that migrators of one process do not
 * stop each other.
 */
export async function openSqliteMigration(file: string): Promise<MigrationSession> {
  const guarded = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      throw error instanceof DatabaseError ? error : troubleOf(failureOf(error), file, error)
    }
  }
  const handle = guarded(() => new SqliteHandle(file, { timeout: 0 }))
  try {
    await patiently(() => guarded(() => handle.pragma('journal_mode = WAL')))
    guarded(() => handle.pragma('synchronous = FULL'))
    guarded(() => handle.pragma('foreign_keys = ON'))
  } catch (error) {
    handle.close()
    throw error
  }

  return {
    types: sqliteTypes,
    execute: async (statement: Statement) => guarded(() => handle.run(statement)),
    exclusively: async (work) => {
      await patiently(() => guarded(() => handle.exec('begin exclusive')))
      try {
        const result = await work()
        guarded(() => handle.exec('commit'))
        return result
      } catch (error) {
        if (handle.inTransaction) handle.exec('rollback')
        throw error
      }
    },
    // All of `exclusively` is one transaction already.
    transaction: (work) => work(),
    close: async () => handle.close(),
  }
}

async function patiently(attempt: () => void): Promise<void> {
  for (const until = Date.now() + PATIENCE_MS; ; ) {
    try {
      attempt()
      return
    } catch (error) {
      const busy = error instanceof DatabaseError && error.kind === 'busy'
      if (!busy || Date.now() >= until) throw error
      await sleep(POLL_MS)
    }
  }
}
