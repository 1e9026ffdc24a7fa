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

/** The most waiting reads. Look-ups are batched and their callers limited before this point. */
const MAX_WAITING_READS = 10_000

/** A libSQL database on a server. Each read is a request of its own. One writer alternates with those of other processes. */
export class RemoteDatabase implements Connected {
  readonly writers: Writers
  readonly #client: RemoteClient
  readonly #reads: ConnectionPool<RemoteClient>
  readonly #statementTimeoutMs: number
  readonly #signal = new AbortController().signal

  private constructor(client: RemoteClient, { poolSize, statementTimeoutMs }: ConnectionSettings, log: Logger) {
    const writer = new RemoteWriter(client, log)
    this.#client = client
    // One connection is for the writer.
    this.#reads = new ConnectionPool(
      Array.from({ length: poolSize - 1 }, () => client),
      MAX_WAITING_READS,
    )
    this.#statementTimeoutMs = statementTimeoutMs
    this.writers = { append: writer, speculative: writer, transactions: [] }
  }

  /** The first request shows whether the database can be used. */
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

  /** Retries once, because the other side may close an idle connection at any time. Repeating a read is safe. */
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

  /** A long scan runs on the server and does not block this process. */
  scan = this.execute

  /** Checks that the server enforces foreign keys. One stream cannot enable this for another. */
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

/** @throws `DatabaseError` if the URL does not name such a database. */
export function openClient(url: string, settings: ConnectionSettings): RemoteClient {
  const parsed = parseLibsqlUrl(url)
  if (parsed === null) throw new DatabaseError('unavailable', 'this is not the URL of a database of libSQL on a server')
  return new RemoteClient(parsed, settings)
}
