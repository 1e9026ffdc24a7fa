import { once } from 'node:events'
import { connect, isIP, type Socket } from 'node:net'
import { type Connection as CoreConnection, createConnection } from 'mysql2'
import type { ServerHost } from '../../../../domain/server-url.ts'
import { DatabaseError } from '../../core/database-error.ts'
import type { Statement, StatementResult } from '../../core/dialect.ts'
import { bindable } from '../../server/bindable.ts'
import type { Dialled, RawConnection, ServerDriver, ServerTarget, Written } from '../../server/driver.ts'
import { KEEPALIVE_AFTER_MS } from '../../server/keepalive.ts'
import { endWithin } from '../../server/open-connection.ts'
import { troubleOf } from './errors.ts'
import { setUpSession, verifySession } from './session.ts'

const PORT = 3306
/**
 * The server keeps what is prepared, and bounds it for all connections together
 * (16,382 unless told otherwise); the one used longest ago is closed.
 */
const MOST_STATEMENTS = 200

export const mysqlDriver: ServerDriver = Object.freeze({
  dial: (target, host) => {
    const { core, socket } = dialMysql(target, host)
    return {
      connection: rawConnection(core, socket, target),
      handshake: async () => {
        try {
          await once(core, 'connect')
        } catch (error) {
          throw troubleOf(error)
        }
      },
      get session() {
        return String(core.threadId)
      },
    } satisfies Dialled
  },
  setUp: setUpSession,
  verify: verifySession,
  sessionsAtWork: "select id as id from information_schema.processlist where command <> 'Sleep'",
  probe: 'update oauth_audit_heads set sequence = sequence where 1 = 0',
  sendsManyAtOnce: true,
} satisfies ServerDriver)

function dialMysql(
  { url, settings, manyAtOnce }: ServerTarget,
  { host, port }: ServerHost,
): { readonly core: CoreConnection; readonly socket: Socket } {
  const { tls } = settings
  if (tls !== null && isIP(host) !== 0) {
    // The client would check the certificate against "localhost".
    throw new DatabaseError(
      'unavailable',
      `over TLS a host must be given by name, so that its certificate can be checked`,
    )
  }
  // The client's own way to leave says goodbye first, and keeps the socket until that is acknowledged.
  const socket = connect({
    host,
    port: port ?? PORT,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_AFTER_MS,
  })
  const core = createConnection({
    stream: socket,
    host,
    user: url.user,
    password: url.password,
    database: url.database,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    // Whoever opens it limits the time, for all that comes after the handshake too.
    connectTimeout: 0,
    supportBigNumbers: true,
    maxPreparedStatements: MOST_STATEMENTS,
    // A stack for each statement, in case it fails, takes a twelfth of the time of a refresh.
    trace: false,
    multipleStatements: manyAtOnce,
    ...(tls !== null && { ssl: { ...(tls.ca !== null && { ca: tls.ca }), verifyIdentity: true } }),
  })
  // An error that nobody hears would end the process; whoever uses the connection next is told.
  core.on('error', () => undefined)
  return { core, socket }
}

function rawConnection(core: CoreConnection, socket: Socket, { manyAtOnce, settings }: ServerTarget): RawConnection {
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
      await endWithin(settings.connectTimeoutMs, connection.end(), () => socket.destroy())
    },
    destroy: () => {
      lost()
      socket.destroy()
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
