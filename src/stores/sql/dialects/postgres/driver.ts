import { Client } from 'pg'
import type { ServerHost } from '../../../../domain/server-url.ts'
import type { ConnectionSettings, Statement, StatementResult } from '../../core/dialect.ts'
import {
  bindable,
  KEEPALIVE_AFTER_MS,
  type PendingConnection,
  type RawConnection,
  type ServerDriver,
  type ServerTarget,
  type Written,
} from '../../server/driver.ts'
import { endWithin } from '../../server/open-connection.ts'
import { databaseErrorOf } from './errors.ts'
import { Pipeline } from './pipeline.ts'
import { setUpSession, verifySession } from './session.ts'

const PORT = 5432

/** The driver for PostgreSQL and compatible servers. */
export class PostgresDriver implements ServerDriver {
  // A session that waits for its client, also between the messages of a statement, is not executing anything.
  readonly sessionsAtWork =
    "select pid as id from pg_stat_activity where state = 'active' and wait_event_type is distinct from 'Client'"
  readonly probe = 'update oauth_audit_heads set sequence = sequence where 1 = 0'
  readonly #names = new StatementNames()

  dial(target: ServerTarget, host: ServerHost): PendingConnection {
    return new PendingPostgresConnection(target, host, this.#names)
  }

  setUp(connection: RawConnection): Promise<string> {
    return setUpSession(connection)
  }

  verify(connection: RawConnection): Promise<void> {
    return verifySession(connection)
  }
}

/** Further statements stay unnamed and are prepared anew each time, because the server keeps named ones. */
const MAX_NAMES = 500

/** The names of prepared statements, shared by all connections to a database. */
class StatementNames {
  readonly #names = new Map<string, string>()

  /** The name for a text, always the same. Empty: not kept. */
  of(sql: string): string {
    const known = this.#names.get(sql)
    if (known !== undefined) return known
    if (this.#names.size >= MAX_NAMES) return ''
    const name = `qscope_${this.#names.size}`
    this.#names.set(sql, name)
    return name
  }
}

class PendingPostgresConnection implements PendingConnection {
  readonly connection: PostgresConnection
  readonly #client: Client

  constructor({ url, settings }: ServerTarget, { host, port }: ServerHost, names: StatementNames) {
    const { tls } = settings
    this.#client = new Client({
      host,
      port: port ?? PORT,
      user: url.user,
      password: url.password,
      database: url.database,
      // The caller limits the time of the handshake and of everything after it.
      connectionTimeoutMillis: 0,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_AFTER_MS,
      client_encoding: 'UTF8',
      application_name: 'qscope',
      // The certificate must name the host. The client would not pass on a host that is an IP address.
      ssl: tls === null ? false : { ...(tls.ca !== null && { ca: tls.ca }), rejectUnauthorized: true, host },
    })
    this.connection = new PostgresConnection(this.#client, settings, names)
  }

  async handshake(): Promise<void> {
    try {
      await this.#client.connect()
    } catch (error) {
      throw databaseErrorOf(error)
    }
  }

  get session(): string | null {
    return 'processID' in this.#client ? String(this.#client.processID) : null
  }
}

interface ClientResult {
  readonly rows: unknown[]
  readonly rowCount: number | null
}

class PostgresConnection implements RawConnection {
  usable = true
  readonly #client: Client
  readonly #settings: ConnectionSettings
  readonly #names: StatementNames
  /** The statements that pipelines prepared. The client itself tracks those of `execute`, under other names. */
  readonly #pipelined = new Set<string>()

  constructor(client: Client, settings: ConnectionSettings, names: StatementNames) {
    this.#client = client
    this.#settings = settings
    this.#names = names
    const lost = () => {
      this.usable = false
    }
    // An unhandled error event would end the process. The next use of the connection reports the error.
    client.on('error', lost)
    client.on('end', lost)
  }

  async execute({ sql, parameters }: Statement): Promise<StatementResult> {
    try {
      const values = parameters.map(bindable)
      return resultOf(await this.#client.query({ name: this.#names.of(sql), text: sql, values }))
    } catch (error) {
      throw databaseErrorOf(error)
    }
  }

  async query(sql: string): Promise<StatementResult> {
    try {
      return resultOf(await this.#client.query(sql))
    } catch (error) {
      throw databaseErrorOf(error)
    }
  }

  writeAll(statements: readonly Statement[]): Promise<Written> {
    return this.#client.query(new Pipeline(statements, this.#pipelinedName, this.#pipelined)).written
  }

  readonly #pipelinedName = (sql: string): string => {
    const name = this.#names.of(sql)
    return name === '' ? '' : `${name}_pipelined`
  }

  async end(): Promise<void> {
    this.usable = false
    await endWithin(this.#settings.connectTimeoutMs, this.#client.end(), () => this.#destroySocket())
  }

  destroy(): void {
    this.usable = false
    this.#destroySocket()
  }

  /** The client has no other way to close a connection to an unresponsive server. */
  #destroySocket(): void {
    this.#client.connection.stream.destroy()
  }
}

/** For a text of several statements, which only set something, the client returns a list. Its content is not used. */
function resultOf({ rows, rowCount }: ClientResult): StatementResult {
  return { rows, affected: rowCount ?? 0 }
}
