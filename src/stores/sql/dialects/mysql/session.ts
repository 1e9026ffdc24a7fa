import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise'
import type { Statement, StatementResult } from '../../dialect.ts'
import { troubleOf } from './errors.ts'

/** A row lock is waited for this long; the transaction is run again after that. */
const LOCK_WAIT_SECONDS = 2
const CONNECT_TIMEOUT_MS = 5_000

/** What every connection is told first: each statement reads what is committed, and nothing is cut to fit. */
export const SESSION_SETTINGS: readonly string[] = Object.freeze([
  'set session transaction isolation level read committed',
  `set session sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
  time_zone = '+00:00', innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}, autocommit = 1`,
])

export function connectionOptions(url: string): ConnectionOptions {
  return {
    uri: url,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    connectTimeout: CONNECT_TIMEOUT_MS,
    supportBigNumbers: true,
    enableKeepAlive: true,
  }
}

/** Opens a connection that is set up; throws `DatabaseTrouble`. */
export async function openConnection(url: string): Promise<Connection> {
  try {
    const connection = await createConnection(connectionOptions(url))
    // Told to whoever uses the connection next; unheard it would end the process.
    connection.on('error', () => connection.destroy())
    for (const setting of SESSION_SETTINGS) await connection.query(setting)
    return connection
  } catch (error) {
    throw troubleOf(error)
  }
}

interface Executor {
  execute(sql: string, values: (string | number | Buffer | null)[]): Promise<[unknown, unknown]>
}

/** Runs a prepared statement; throws `DatabaseTrouble`. */
export async function executeOn(executor: Executor, { sql, parameters }: Statement): Promise<StatementResult> {
  try {
    const [result] = await executor.execute(sql, parameters.map(bindable))
    return resultOf(result)
  } catch (error) {
    throw troubleOf(error)
  }
}

export function resultOf(result: unknown): StatementResult {
  if (Array.isArray(result)) return { rows: result, affected: 0 }
  const affected =
    typeof result === 'object' && result !== null && 'affectedRows' in result ? Number(result.affectedRows) : 0
  return { rows: [], affected }
}

function bindable(value: unknown): string | number | Buffer | null {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  if (value instanceof Uint8Array) return Buffer.isBuffer(value) ? value : Buffer.from(value)
  throw new TypeError(`a ${typeof value} cannot be stored`)
}
