import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseError } from '../../core/database-error.ts'
import type { MigrationSession, Statement, StatementResult } from '../../core/dialect.ts'
import { sqliteTypes } from './column-types.ts'
import { databaseErrorOf, failureOf } from './errors.ts'
import { SqliteHandle } from './handle.ts'
import type { OpenFile } from './library.ts'

/** How long to wait for another migrator or a writing server. */
const LOCK_WAIT_MS = 30_000
const POLL_MS = 25

/**
 * One connection, without a thread, because a migrator has nothing else to do. It waits for locks outside of SQLite, so that
 * migrators of one process do not block each other.
 */
export class SqliteMigrationSession implements MigrationSession {
  readonly types = sqliteTypes
  readonly #file: string
  readonly #handle: SqliteHandle

  private constructor(file: string, handle: SqliteHandle) {
    this.#file = file
    this.#handle = handle
  }

  static async open(open: OpenFile, file: string): Promise<SqliteMigrationSession> {
    const handle = guarded(file, () => new SqliteHandle(open(file, { timeout: 0 })))
    try {
      await whenUnlocked(() => guarded(file, () => handle.pragma('journal_mode = WAL')))
      guarded(file, () => handle.pragma('synchronous = FULL'))
      guarded(file, () => handle.pragma('foreign_keys = ON'))
    } catch (error) {
      handle.close()
      throw error
    }
    return new SqliteMigrationSession(file, handle)
  }

  execute = async (statement: Statement): Promise<StatementResult> =>
    guarded(this.#file, () => this.#handle.run(statement))

  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    await whenUnlocked(() => guarded(this.#file, () => this.#handle.exec('begin exclusive')))
    try {
      const result = await work()
      guarded(this.#file, () => this.#handle.exec('commit'))
      return result
    } catch (error) {
      if (this.#handle.inTransaction) this.#handle.exec('rollback')
      throw error
    }
  }

  /** `exclusively` is already one transaction. */
  async transaction(work: () => Promise<void>): Promise<void> {
    await work()
  }

  async close(): Promise<void> {
    this.#handle.close()
  }
}

function guarded<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof DatabaseError ? error : databaseErrorOf(failureOf(error), file, error)
  }
}

/** Retries for half a minute while another process holds the lock. */
export async function whenUnlocked(attempt: () => void | Promise<void>): Promise<void> {
  for (const until = Date.now() + LOCK_WAIT_MS; ; ) {
    try {
      await attempt()
      return
    } catch (error) {
      const busy = error instanceof DatabaseError && error.kind === 'busy'
      if (!busy || Date.now() >= until) throw error
      await sleep(POLL_MS)
    }
  }
}
