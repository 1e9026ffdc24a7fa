import type { Connection } from 'mysql2/promise'
import type { MigrationSession, Statement } from '../../dialect.ts'
import { DatabaseTrouble } from '../../trouble.ts'
import { mysqlTypes } from './column-types.ts'
import { troubleOf } from './errors.ts'
import { openConnection, resultOf } from './session.ts'

/** How long another migrator is waited for. */
const LOCK_SECONDS = 60
/** Lock names are the server's: each database has one of its own. */
const LOCK_NAME = `left(concat('qscope_migrate_', database()), 64)`

/** Schema changes commit by themselves here, so the lock is what makes a migrator exclusive. */
export async function openMysqlMigration(url: string): Promise<MigrationSession> {
  const connection = await openConnection(url)
  /** Not prepared: triggers cannot be. */
  const execute = async ({ sql, parameters }: Statement) => {
    try {
      const [result] = await connection.query(sql, [...parameters])
      return resultOf(result)
    } catch (error) {
      throw troubleOf(error)
    }
  }
  const say = (sql: string) => execute({ sql, parameters: [] })
  return {
    types: mysqlTypes(await collationOf(connection)),
    execute,
    exclusively: async (work) => {
      const { rows } = await say(`select get_lock(${LOCK_NAME}, ${LOCK_SECONDS}) as taken`)
      if (!isTaken(rows[0])) {
        throw new DatabaseTrouble('busy', `another migrator has been at work for more than ${LOCK_SECONDS} s`)
      }
      try {
        return await work()
      } finally {
        await say(`select release_lock(${LOCK_NAME})`)
      }
    },
    transaction: async (work) => {
      await say('begin')
      try {
        await work()
        await say('commit')
      } catch (error) {
        await say('rollback')
        throw error
      }
    },
    close: () => connection.end(),
  }
}

async function collationOf(connection: Connection): Promise<string> {
  const [rows] = await connection.query('select version() as version')
  return JSON.stringify(rows).includes('MariaDB') ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin'
}

function isTaken(row: unknown): boolean {
  return typeof row === 'object' && row !== null && 'taken' in row && Number(row.taken) === 1
}
