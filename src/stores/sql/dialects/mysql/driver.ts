import { once } from 'node:events'
import { isIP } from 'node:net'
import { type Connection as CoreConnection, createConnection } from 'mysql2'
import type { Connection } from 'mysql2/promise'
import type { ServerHost } from '../../../../domain/server-url.ts'
import type { Statement, StatementResult } from '../../dialect.ts'
import { bindable } from '../../server/bindable.ts'
import type { RawConnection, ServerDriver, ServerTarget, Written } from '../../server/driver.ts'
import { DatabaseTrouble } from '../../trouble.ts'
import { troubleOf } from './errors.ts'

const PORT = 3306
/** A row lock is waited for this long; the transaction is run again after that. */
const LOCK_WAIT_SECONDS = 2

/** Nothing is cut to fit, and times are those of the application. */
const SETTINGS = `sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
  time_zone = '+00:00', innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}, autocommit = 1`

export const mysqlDriver: ServerDriver = Object.freeze({
  open: async (target, host) => {
    const connection = await openMysql(target, host)
    try {
      await setUp(connection.promise())
      return rawConnection(connection, target.manyAtOnce)
    } catch (error) {
      connection.destroy()
      throw troubleOf(error)
    }
  },
  probe: 'update oauth_audit_heads set sequence = sequence where 1 = 0',
  sendsManyAtOnce: true,
} satisfies ServerDriver)

async function openMysql(
  { url, settings, manyAtOnce }: ServerTarget,
  { host, port }: ServerHost,
): Promise<CoreConnection> {
  const { connectTimeoutMs, tls } = settings
  if (tls !== null && isIP(host) !== 0) {
    // The client would check the certificate against "localhost".
    throw new DatabaseTrouble(
      'unavailable',
      `over TLS a host must be given by name, so that its certificate can be checked`,
    )
  }
  try {
    const connection = createConnection({
      host,
      port: port ?? PORT,
      user: url.user,
      password: url.password,
      database: url.database,
      charset: 'utf8mb4_bin',
      timezone: 'Z',
      connectTimeout: connectTimeoutMs,
      supportBigNumbers: true,
      enableKeepAlive: true,
      // A stack for each statement, in case it fails, takes a twelfth of the time of a refresh.
      trace: false,
      multipleStatements: manyAtOnce,
      ...(tls !== null && { ssl: { ...(tls.ca !== null && { ca: tls.ca }), verifyIdentity: true } }),
    })
    // An error that nobody hears would end the process; whoever uses the connection next is told.
    connection.on('error', () => undefined)
    await once(connection, 'connect')
    return connection
  } catch (error) {
    throw troubleOf(error)
  }
}

async function setUp(connection: Connection): Promise<void> {
  await connection.query('set session transaction isolation level read committed')
  await connection.query(`set session ${SETTINGS}`)
  const on = await switchedOn(connection, 'variables', ['wsrep_on', 'read_only'])
  if (on.has('read_only')) {
    throw new DatabaseTrouble('unavailable', 'the database is read-only: it is a replica, or was set so')
  }
  if (on.has('wsrep_on')) await setUpClusterNode(connection)
}

/** A node answers after it has applied what the others committed before; one that has lost them would not answer at all. */
async function setUpClusterNode(connection: Connection): Promise<void> {
  const ready = await switchedOn(connection, 'status', ['wsrep_ready'])
  if (!ready.has('wsrep_ready')) {
    throw new DatabaseTrouble('unavailable', 'this node of the cluster is not ready: it has no quorum, or is joining')
  }
  await connection.query('set session wsrep_sync_wait = 1')
}

async function switchedOn(
  connection: Connection,
  what: 'variables' | 'status',
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const list = names.map((name) => `'${name}'`).join(', ')
  const [rows] = await connection.query(`show global ${what} where variable_name in (${list}) and value in ('ON', '1')`)
  return new Set(
    Array.isArray(rows) ? rows.map((row) => ('Variable_name' in row ? String(row['Variable_name']) : '')) : [],
  )
}

function rawConnection(core: CoreConnection, manyAtOnce: boolean): RawConnection {
  const connection = core.promise()
  let usable = true
  const lost = () => {
    usable = false
  }
  connection.on('error', lost)
  connection.on('end', lost)
  return {
    get usable() {
      return usable
    },
    execute: async ({ sql, parameters }) => {
      try {
        const [result] = await connection.execute(sql, parameters.map(bindable))
        return resultOf(result)
      } catch (error) {
        throw troubleOf(error)
      }
    },
    say: async (sql) => {
      try {
        const [result] = await connection.query(sql)
        return resultOf(result)
      } catch (error) {
        throw troubleOf(error)
      }
    },
    writeAll: manyAtOnce ? (statements) => writeAll(core, statements) : null,
    end: async () => {
      lost()
      await connection.end().catch(() => connection.destroy())
    },
    destroy: () => {
      lost()
      connection.destroy()
    },
  }
}

/**
 * The statements as one text, their values as literals: what is prepared travels
 * alone. The `sql_mode` lets a backslash escape, as the client does.
 */
function writeAll(connection: CoreConnection, statements: readonly Statement[]): Promise<Written> {
  const affected: number[] = []
  return new Promise((resolve, reject) => {
    const text = statements.map(({ sql, parameters }) => connection.format(sql, parameters.map(bindable))).join(';')
    connection
      .query(text, (error) => {
        if (error === null) return resolve({ affected, failure: null })
        // The client hangs the text with all values on it; whoever may look at the error has no use for them.
        Reflect.deleteProperty(error, 'sql')
        const trouble = troubleOf(error)
        if (isAnswer(error)) resolve({ affected, failure: trouble })
        else reject(trouble)
      })
      .on('result', (result) => affected.push(resultOf(result).affected))
  })
}

/** Whether the server said it; the client's own errors have no such state. */
function isAnswer(error: object): boolean {
  return 'sqlState' in error
}

function resultOf(result: unknown): StatementResult {
  if (Array.isArray(result)) return { rows: result, affected: 0 }
  const affected =
    typeof result === 'object' && result !== null && 'affectedRows' in result ? Number(result.affectedRows) : 0
  return { rows: [], affected }
}
