import { DatabaseError } from '../../core/database-error.ts'
import type { ConnectionSettings } from '../../core/dialect.ts'
import { ServerMigrationSession } from '../../server/migration-session.ts'
import { openOne } from '../../server/server-database.ts'
import { postgresTypes } from './column-types.ts'
import { PostgresDriver } from './driver.ts'

/** How long to wait for another migrator. */
const LOCK_SECONDS = 60
const TABLE_LOCK_SECONDS = 1
/** Locks are local to the database. The number identifies QScope's migrations. */
const LOCK = 5_551_050_551

/**
 * Changes the schema of a PostgreSQL database. Each schema change commits on its own. One transaction around all of them
 * would hold locks on many tables, and block or deadlock running servers.
 */
export class PostgresMigrationSession extends ServerMigrationSession {
  readonly types = postgresTypes

  static async open(url: string, settings: ConnectionSettings): Promise<PostgresMigrationSession> {
    return new PostgresMigrationSession(await openOne(new PostgresDriver(), url, settings))
  }

  protected override async lock(): Promise<void> {
    await this.connection.query('begin')
    try {
      await this.connection.query(`set local lock_timeout = '${LOCK_SECONDS}s'`)
      await this.connection.query(`select pg_advisory_lock(${LOCK})`)
      await this.connection.query('commit')
      // A waiting schema change blocks all later statements on the table, so the wait must be short.
      await this.connection.query(`set lock_timeout = '${TABLE_LOCK_SECONDS}s'`)
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.kind !== 'conflict') throw error
      throw new DatabaseError('busy', `another migration has been running for more than ${LOCK_SECONDS} s`, error)
    }
  }

  protected override async unlock(): Promise<void> {
    await this.connection.query(`select pg_advisory_unlock(${LOCK})`)
  }
}
