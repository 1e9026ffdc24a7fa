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
 * The server keeps what is prepared, and bounds it for all connections together
 * (16,382 unless configured otherwise); the one used longest ago is closed.
 */
const MAX_STATEMENTS = 200

/** How MySQL, MariaDB and what speaks their protocol are talked to. */
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
      // The client would check the certificate against "localhost".
      throw new DatabaseError(
        'unavailable',
        `over TLS a host must be given by name, so that its certificate can be checked`,
      )
    }
    // The client's own way to end sends a message first, and keeps the socket until that is acknowledged.
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
      // Whoever opens it limits the time, for all that comes after the handshake too.
      connectTimeout: 0,
      supportBigNumbers: true,
      maxPreparedStatements: MAX_STATEMENTS,
      // A stack for each statement, in case it fails, takes a twelfth of the time of a refresh.
      trace: false,
      multipleStatements: multiStatements,
      ...(tls !== null && { ssl: { ...(tls.ca !== null && { ca: tls.ca }), verifyIdentity: true } }),
    })
    // An error that nobody listens for would end the process; whoever uses the connection next gets it.
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
   * The statements as one text, their values as literals: what is prepared travels
   * alone. The `sql_mode` lets a backslash escape, as the client does.
   */
  writeAll(statements: readonly Statement[]): Promise<Written> {
    if (!this.#multiStatements) throw new Error('this connection accepts one statement at a time')
    const affected: number[] = []
    return new Promise((resolve, reject) => {
      const text = statements.map(({ sql, parameters }) => this.#core.format(sql, parameters.map(bindable))).join(';')
      this.#core
        .query(text, (error) => {
          if (error === null) return resolve({ affected, failure: null })
          // The client hangs the text with all values on it; whoever may look at the error has no use for them.
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
