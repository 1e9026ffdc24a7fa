import { once } from 'node:events'
import { connect, isIP, type Socket } from 'node:net'
import { type Connection as CoreConnection, createConnection } from 'mysql2'
import type { ServerHost } from '../../../../domain/server-url.ts'
import { DatabaseError } from '../../core/database-error.ts'
import type { ConnectionSettings, Statement, StatementResult } from '../../core/dialect.ts'
import {
  bindable,
  KEEPALIVE_AFTER_MS,
  type PendingConnection,
  type RawConnection,
  type ServerDriver,
  type ServerTarget,
  type SessionUse,
  type Written,
} from '../../server/driver.ts'
import { endWithin } from '../../server/open-connection.ts'
import { databaseErrorOf } from './errors.ts'
import { setUpSession, verifySession } from './session.ts'

const PORT = 3306
/**
 * The server keeps prepared statements and limits their number for all connections together (16,382 by default). The least
 * recently used one is closed.
 */
const MAX_STATEMENTS = 200

/** The driver for MySQL, MariaDB and compatible servers. */
export class MysqlDriver implements ServerDriver {
  readonly sessionsAtWork = "select id as id from information_schema.processlist where command <> 'Sleep'"
  readonly probe = 'update oauth_audit_heads set sequence = sequence where 1 = 0'

  dial(target: ServerTarget, host: ServerHost): PendingConnection {
    return new PendingMysqlConnection(target, host)
  }

  setUp(connection: RawConnection, use: SessionUse): Promise<string> {
    return setUpSession(connection, use)
  }

  verify(connection: RawConnection, use: SessionUse): Promise<void> {
    return verifySession(connection, use)
  }
}

class PendingMysqlConnection implements PendingConnection {
  readonly connection: MysqlConnection
  readonly #core: CoreConnection

  constructor(target: ServerTarget, { host, port }: ServerHost) {
    const { url, settings, multiStatements } = target
    const { tls } = settings
    if (tls !== null && isIP(host) !== 0) {
      // The client would verify the certificate for "localhost".
      throw new DatabaseError(
        'unavailable',
        `over TLS a host must be given by name, so that its certificate can be checked`,
      )
    }
    // The client's own close sends a message first, and keeps the socket until that is acknowledged.
    const socket = connect({
      host,
      port: port ?? PORT,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_AFTER_MS,
    })
    this.#core = createConnection({
      stream: socket,
      host,
      user: url.user,
      password: url.password,
      database: url.database,
      charset: 'utf8mb4_bin',
      timezone: 'Z',
      // The caller limits the time of the handshake and of everything after it.
      connectTimeout: 0,
      supportBigNumbers: true,
      maxPreparedStatements: MAX_STATEMENTS,
      // A stack trace for each statement, in case it fails, takes a twelfth of the time of a refresh.
      trace: false,
      multipleStatements: multiStatements,
      ...(tls !== null && { ssl: { ...(tls.ca !== null && { ca: tls.ca }), verifyIdentity: true } }),
    })
    // An unhandled error event would end the process. The next use of the connection reports the error.
    this.#core.on('error', () => undefined)
    this.connection = new MysqlConnection(this.#core, socket, settings, multiStatements)
  }

  async handshake(): Promise<void> {
    try {
      await once(this.#core, 'connect')
    } catch (error) {
      throw databaseErrorOf(error)
    }
  }

  get session(): string {
    return String(this.#core.threadId)
  }
}

class MysqlConnection implements RawConnection {
  usable = true
  readonly #core: CoreConnection
  readonly #promises: ReturnType<CoreConnection['promise']>
  readonly #socket: Socket
  readonly #settings: ConnectionSettings
  readonly #multiStatements: boolean

  constructor(core: CoreConnection, socket: Socket, settings: ConnectionSettings, multiStatements: boolean) {
    this.#core = core
    this.#promises = core.promise()
    this.#socket = socket
    this.#settings = settings
    this.#multiStatements = multiStatements
    const lost = () => {
      this.usable = false
    }
    this.#promises.on('error', lost)
    this.#promises.on('end', lost)
  }

  async execute({ sql, parameters }: Statement): Promise<StatementResult> {
    try {
      const [result] = await this.#promises.execute(sql, parameters.map(bindable))
      return resultOf(result)
    } catch (error) {
      throw databaseErrorOf(error)
    }
  }

  async query(sql: string): Promise<StatementResult> {
    try {
      const [result] = await this.#promises.query(sql)
      return resultOf(result)
    } catch (error) {
      throw databaseErrorOf(error)
    }
  }

  /**
   * Sends the statements as one text with literal values, because prepared statements cannot be combined. The `sql_mode`
   * enables backslash escapes, which the client uses.
   */
  writeAll(statements: readonly Statement[]): Promise<Written> {
    if (!this.#multiStatements) throw new Error('this connection accepts one statement at a time')
    const affected: number[] = []
    return new Promise((resolve, reject) => {
      const text = statements.map(({ sql, parameters }) => this.#core.format(sql, parameters.map(bindable))).join(';')
      this.#core
        .query(text, (error) => {
          if (error === null) return resolve({ affected, failure: null })
          // The client attaches the text with all values. Logs must not contain them.
          Reflect.deleteProperty(error, 'sql')
          const failure = databaseErrorOf(error)
          if (isAnswer(error)) resolve({ affected, failure })
          else reject(failure)
        })
        .on('result', (result) => affected.push(resultOf(result).affected))
    })
  }

  async end(): Promise<void> {
    this.usable = false
    await endWithin(this.#settings.connectTimeoutMs, this.#promises.end(), () => this.#socket.destroy())
  }

  destroy(): void {
    this.usable = false
    this.#socket.destroy()
  }
}

/** Whether the server sent the error. The client's own errors have no SQL state. */
function isAnswer(error: object): boolean {
  return 'sqlState' in error
}

function resultOf(result: unknown): StatementResult {
  if (Array.isArray(result)) return { rows: result, affected: 0 }
  const affected =
    typeof result === 'object' && result !== null && 'affectedRows' in result ? Number(result.affectedRows) : 0
  return { rows: [], affected }
}
