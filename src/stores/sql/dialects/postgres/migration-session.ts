import { DatabaseError } from '../../core/database-error.ts'
import type { ConnectionSettings, MigrationSession } from '../../core/dialect.ts'
import { openOne } from '../../server/connect-server.ts'
import { migrationTransaction } from '../../server/migration-transaction.ts'
import { postgresTypes } from './column-types.ts'
import { postgresDriver } from './driver.ts'

/** How long another migrator is waited for. */
const LOCK_SECONDS = 60
const TABLE_LOCK_SECONDS = 1
/** Locks are the database's: a number that stands for migrations of QScope. */
const LOCK = 5_551_050_551

/**
 * Each schema change commits by itself: one transaction around all of them would
 * hold the locks of many tables, and stop or deadlock the servers at work. Work
 * that fails ends the session, and the lock with it.
 */
export async function openPostgresMigration(url: string, settings: ConnectionSettings): Promise<MigrationSession> {
  const connection = await openOne(postgresDriver, url, settings)
  const { say } = connection
  return {
    types: postgresTypes,
    // The text of a schema change holds its values.
    execute: (statement) => (statement.parameters.length === 0 ? say(statement.sql) : connection.execute(statement)),
    exclusively: async (work) => {
      await takeLock(say)
      const result = await work()
      await say(`select pg_advisory_unlock(${LOCK})`)
      return result
    },
    transaction: migrationTransaction(connection),
    close: () => connection.end(),
  }
}

async function takeLock(say: (sql: string) => Promise<unknown>): Promise<void> {
  await say('begin')
  try {
    await say(`set local lock_timeout = '${LOCK_SECONDS}s'`)
    await say(`select pg_advisory_lock(${LOCK})`)
    await say('commit')
    // Who waits for a table stops everybody behind it, so that must not be for long.
    await say(`set lock_timeout = '${TABLE_LOCK_SECONDS}s'`)
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.kind !== 'conflict') throw error
    throw new DatabaseError('busy', `another migrator has been at work for more than ${LOCK_SECONDS} s`, error)
  }
}
