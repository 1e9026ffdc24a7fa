import { DatabaseError } from '../../core/database-error.ts'
import type { ConnectionSettings, MigrationSession } from '../../core/dialect.ts'
import { openOne } from '../../server/connect-server.ts'
import type { RawConnection } from '../../server/driver.ts'
import { migrationTransaction } from '../../server/migration-transaction.ts'
import { mysqlTypes } from './column-types.ts'
import { mysqlDriver } from './driver.ts'

/** How long another migrator is waited for. */
const LOCK_SECONDS = 60
const TABLE_LOCK_SECONDS = 1
/** Lock names are the server's: each database has one of its own. */
const LOCK_NAME = `left(concat('qscope_migrate_', database()), 64)`

/**
 * Schema changes commit by themselves here, so the lock is what makes a migrator
 * exclusive. Work that fails ends the session, and the lock with it.
 */
export async function openMysqlMigration(url: string, settings: ConnectionSettings): Promise<MigrationSession> {
  const connection = await openOne(mysqlDriver, url, settings)
  const { say } = connection
  return {
    types: mysqlTypes(await collationOf(connection)),
    // Triggers cannot be prepared.
    execute: (statement) => (statement.parameters.length === 0 ? say(statement.sql) : connection.execute(statement)),
    exclusively: async (work) => {
      // Who waits for a table stops everybody behind it, so that must not be for long.
      await say(`set session lock_wait_timeout = ${TABLE_LOCK_SECONDS}`)
      const { rows } = await say(`select get_lock(${LOCK_NAME}, ${LOCK_SECONDS}) as taken`)
      if (!isTaken(rows[0])) {
        throw new DatabaseError('busy', `another migrator has been at work for more than ${LOCK_SECONDS} s`)
      }
      const result = await work()
      await say(`select release_lock(${LOCK_NAME})`)
      return result
    },
    transaction: migrationTransaction(connection),
    close: () => connection.end(),
  }
}

async function collationOf({ say }: RawConnection): Promise<string> {
  const { rows } = await say('select version() as version')
  return JSON.stringify(rows).includes('MariaDB') ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin'
}

function isTaken(row: unknown): boolean {
  return typeof row === 'object' && row !== null && 'taken' in row && Number(row.taken) === 1
}
