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

/** Look-ups travel in batches, so the smaller part of the connections reads. */
const SHARE_OF_READERS = 0.4
/** More reads than this do not wait for a connection: look-ups are batched, and their callers counted, before they come here. */
const MAX_WAITING_READS = 10_000

/** The connections to a database on a server: some read, the others write. */
export class ServerDatabase implements Connected {
  readonly writers: Writers
  readonly #readers: readonly ServerConnection[]
  readonly #pool: ConnectionPool<ServerConnection>
  /** What looks after the host that is read from: reads of a host that lost its cluster may all wait for its answer. */
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
    // Beside the one that appends, which seldom waits for a row. Transactions that cannot be recorded need one, too.
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

  /** Opens a database; the first connection shows at once whether that is possible. */
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

  /**
   * A host that has become unfit is left at once, by reads that wait for it as well:
   * they are made again on another one. Whether that is fit shows when it is opened.
   */
  checkReads = async (): Promise<void> => {
    try {
      await this.#read((reader) => reader.verify(), this.#watch)
    } finally {
      for (const reader of this.#readers) if (reader.isLeft) reader.drop()
    }
  }

  /** A long look through a table waits for the server, not in this process. */
  scan = this.execute

  readLoad(): PoolLoad {
    return this.#pool.load
  }

  async close(): Promise<void> {
    await Promise.all([...this.#readers, ...this.#allWriters].map((one) => one.close()))
  }

  /**
   * A connection may have gone stale unnoticed; what only reads can be repeated. None
   * waits for a connection for longer than a statement may take.
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

/** Opens one connection, to change the schema with. */
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
