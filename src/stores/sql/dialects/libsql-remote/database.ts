import type { Logger } from '../../../../context.ts'
import { epochMs } from '../../../../domain/ids.ts'
import { parseLibsqlUrl } from '../../../../domain/libsql-url.ts'
import type { PoolLoad } from '../../../contract/backend.ts'
import { DatabaseError } from '../../core/database-error.ts'
import type { Connected, ConnectionSettings, Statement, StatementResult, Writers } from '../../core/dialect.ts'
import { diagnosticRow } from '../../diagnostics.ts'
import { ConnectionPool } from '../../engine/connection-pool.ts'
import { RemoteClient } from './client.ts'
import { RemoteWriter } from './writer.ts'

/** More reads than this do not wait: look-ups are batched, and their callers counted, before they come here. */
const MAX_WAITING_READS = 10_000

/** A database of libSQL on a server: reads are requests of their own, and one writer takes its turn with other processes'. */
export class RemoteDatabase implements Connected {
  readonly writers: Writers
  readonly #client: RemoteClient
  readonly #reads: ConnectionPool<RemoteClient>
  readonly #statementTimeoutMs: number
  readonly #signal = new AbortController().signal

  private constructor(client: RemoteClient, { poolSize, statementTimeoutMs }: ConnectionSettings, log: Logger) {
    const writer = new RemoteWriter(client, log)
    this.#client = client
    // One is the writer's.
    this.#reads = new ConnectionPool(
      Array.from({ length: poolSize - 1 }, () => client),
      MAX_WAITING_READS,
    )
    this.#statementTimeoutMs = statementTimeoutMs
    this.writers = { append: writer, speculative: writer, transactions: [] }
  }

  /** The first request shows at once whether the database can be used. */
  static async open(url: string, settings: ConnectionSettings, log: Logger): Promise<RemoteDatabase> {
    const client = openClient(url, settings)
    try {
      const database = new RemoteDatabase(client, settings, log)
      await database.checkReads()
      return database
    } catch (error) {
      client.close()
      throw error
    }
  }

  /** What only reads can be repeated: a connection that was kept may be closed by the other side at any moment. */
  execute = (statement: Statement): Promise<StatementResult> =>
    this.#reads.use(
      { signal: this.#signal, deadline: epochMs(Date.now() + this.#statementTimeoutMs) },
      async (client) => {
        try {
          return await client.read(statement)
        } catch (error) {
          if (!(error instanceof DatabaseError) || error.kind !== 'lost') throw error
          return await client.read(statement)
        }
      },
    )

  /** A long look through a table waits for the server, not in this process. */
  scan = this.execute

  /** Whether a stream is set up as it has to be, which no stream can be asked to be by another. */
  async checkReads(): Promise<void> {
    const row = await diagnosticRow(this.execute, 'pragma foreign_keys')
    if (row.get('foreign_keys') === '1') return
    throw new DatabaseError('unavailable', 'the database checks no references: its server should have foreign_keys on')
  }

  readLoad(): PoolLoad {
    return this.#reads.load
  }

  async close(): Promise<void> {
    await this.#reads.close()
    this.#client.close()
  }
}

/** @throws `DatabaseError` where the URL names no such database. */
export function openClient(url: string, settings: ConnectionSettings): RemoteClient {
  const parsed = parseLibsqlUrl(url)
  if (parsed === null) throw new DatabaseError('unavailable', 'this is not the URL of a database of libSQL on a server')
  return new RemoteClient(parsed, settings)
}
