import type { Logger } from '../../../context.ts'
import { epochMs } from '../../../domain/ids.ts'
import { parseServerUrl } from '../../../domain/server-url.ts'
import type { PoolLoad } from '../../contract/backend.ts'
import { DatabaseError } from '../core/database-error.ts'
import type { Connected, ConnectionSettings, Statement, StatementResult, Writers } from '../core/dialect.ts'
import { ConnectionPool } from '../engine/connection-pool.ts'
import type { RawConnection, ServerDriver, ServerTarget, SessionUse } from './driver.ts'
import { Hosts, openConnection } from './open-connection.ts'
import { isStale, ServerConnection, SessionWatch } from './server-connection.ts'
import { ServerWriter } from './server-writer.ts'

/** Look-ups are batched, so fewer connections read than write. */
const SHARE_OF_READERS = 0.4
/** The most waiting reads. Look-ups are batched and their callers limited before this point. */
const MAX_WAITING_READS = 10_000

/** The connections to a database on a server. Some read, the others write. */
export class ServerDatabase implements Connected {
  readonly writers: Writers
  readonly #readers: readonly ServerConnection[]
  readonly #pool: ConnectionPool<ServerConnection>
  /** Checks the host of the reads. It has its own connection, because reads may all wait for a host that lost its cluster. */
  readonly #watch: ConnectionPool<ServerConnection>
  readonly #allWriters: readonly ServerWriter[]
  readonly #statementTimeoutMs: number
  readonly #signal = new AbortController().signal

  private constructor(driver: ServerDriver, target: ServerTarget, log: Logger) {
    const { poolSize, statementTimeoutMs } = target.settings
    const hosts = new Hosts(target.url.hosts)
    const sessions = new SessionWatch(driver, target)
    const connection = (use: SessionUse, multiStatements: boolean) =>
      new ServerConnection(driver, { ...target, multiStatements, use }, hosts, sessions)
    const writer = (multiStatements: boolean) =>
      new ServerWriter(connection('writes', multiStatements), multiStatements, driver.probe, log)
    const readerCount = Math.max(1, Math.round(poolSize * SHARE_OF_READERS))
    const otherCount = Math.max(1, poolSize - readerCount - 1)
    const append = writer(true)
    // Separate from the appending connection, which seldom waits for a row lock. Transactions that cannot be recorded need one, too.
    const speculative = otherCount > 1 ? writer(true) : null
    const transactions = Array.from({ length: otherCount - (speculative === null ? 0 : 1) }, () => writer(false))
    this.#readers = Array.from({ length: readerCount }, () => connection('reads', false))
    const [first, ...others] = this.#readers
    this.#watch = new ConnectionPool(
      first === undefined || others.length === 0 ? this.#readers : [first],
      MAX_WAITING_READS,
    )
    this.#pool = others.length === 0 ? this.#watch : new ConnectionPool(others, MAX_WAITING_READS)
    this.#allWriters = [append, ...(speculative === null ? [] : [speculative]), ...transactions]
    this.#statementTimeoutMs = statementTimeoutMs
    this.writers = { append, speculative, transactions }
  }

  /** Opens a database. The first connection shows at once whether it can be used. */
  static async open(
    driver: ServerDriver,
    url: string,
    settings: ConnectionSettings,
    log: Logger,
  ): Promise<ServerDatabase> {
    const database = new ServerDatabase(driver, serverTarget(url, settings), log)
    await database.#readers[0]?.ready()
    return database
  }

  execute = (statement: Statement): Promise<StatementResult> => this.#read((reader) => reader.execute(statement))

  /** Leaves an unfit host at once. Waiting reads are retried on another host, which is checked when it is opened. */
  checkReads = async (): Promise<void> => {
    try {
      await this.#read((reader) => reader.verify(), this.#watch)
    } finally {
      for (const reader of this.#readers) if (reader.isLeft) reader.drop()
    }
  }

  /** A long scan runs on the server and does not block this process. */
  scan = this.execute

  readLoad(): PoolLoad {
    return this.#pool.load
  }

  async close(): Promise<void> {
    await Promise.all([...this.#readers, ...this.#allWriters].map((one) => one.close()))
  }

  /**
   * Retries once, because a connection may be stale without notice. Repeating a read is safe. No read waits for a connection
   * longer than the time limit of a statement.
   */
  #read<T>(work: (reader: ServerConnection) => Promise<T>, pool = this.#pool): Promise<T> {
    return pool.use(
      { signal: this.#signal, deadline: epochMs(Date.now() + this.#statementTimeoutMs) },
      async (reader) => {
        try {
          await reader.ready()
          return await work(reader)
        } catch (error) {
          if (!isStale(error)) throw error
          reader.drop()
          await reader.ready()
          return await work(reader)
        }
      },
    )
  }
}

/** Opens one connection for schema changes. */
export async function openOne(driver: ServerDriver, url: string, settings: ConnectionSettings): Promise<RawConnection> {
  const target = serverTarget(url, settings)
  const { opened } = await new Hosts(target.url.hosts).open((host) => openConnection(driver, target, host))
  return opened.connection
}

function serverTarget(url: string, settings: ConnectionSettings): ServerTarget {
  const parsed = parseServerUrl(url)
  if (parsed === null) throw new DatabaseError('unavailable', 'this is not the URL of a database on a server')
  return { url: parsed, settings, multiStatements: false, use: 'writes' }
}
