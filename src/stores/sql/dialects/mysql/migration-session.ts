import { DatabaseError } from '../../core/database-error.ts'
import type { ColumnTypes, ConnectionSettings } from '../../core/dialect.ts'
import type { RawConnection } from '../../server/driver.ts'
import { ServerMigrationSession } from '../../server/migration-session.ts'
import { openOne } from '../../server/server-database.ts'
import { mysqlTypes } from './column-types.ts'
import { MysqlDriver } from './driver.ts'

/** How long to wait for another migrator. */
const LOCK_SECONDS = 60
const TABLE_LOCK_SECONDS = 1
/** Lock names are global on the server, so the name contains the database. */
const LOCK_NAME = `left(concat('qscope_migrate_', database()), 64)`

/** Changes the schema of a MySQL or MariaDB database. */
export class MysqlMigrationSession extends ServerMigrationSession {
  readonly types: ColumnTypes

  private constructor(connection: RawConnection, types: ColumnTypes) {
    super(connection)
    this.types = types
  }

  static async open(url: string, settings: ConnectionSettings): Promise<MysqlMigrationSession> {
    const connection = await openOne(new MysqlDriver(), url, settings)
    return new MysqlMigrationSession(connection, mysqlTypes(await collationOf(connection)))
  }

  protected override async lock(): Promise<void> {
    // A waiting schema change blocks all later statements on the table, so the wait must be short.
    await this.connection.query(`set session lock_wait_timeout = ${TABLE_LOCK_SECONDS}`)
    const { rows } = await this.connection.query(`select get_lock(${LOCK_NAME}, ${LOCK_SECONDS}) as taken`)
    if (isTaken(rows[0])) return
    throw new DatabaseError('busy', `another migration has been running for more than ${LOCK_SECONDS} s`)
  }

  protected override async unlock(): Promise<void> {
    await this.connection.query(`select release_lock(${LOCK_NAME})`)
  }
}

async function collationOf(connection: RawConnection): Promise<string> {
  const { rows } = await connection.query('select version() as version')
  return JSON.stringify(rows).includes('MariaDB') ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin'
}

function isTaken(row: unknown): boolean {
  return typeof row === 'object' && row !== null && 'taken' in row && Number(row.taken) === 1
}
