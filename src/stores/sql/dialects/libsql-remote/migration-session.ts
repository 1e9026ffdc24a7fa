import type { Logger } from '../../../../context.ts'
import type { ConnectionSettings, MigrationSession, Statement, StatementResult } from '../../core/dialect.ts'
import { sqliteTypes } from '../sqlite/column-types.ts'
import { whenUnlocked } from '../sqlite/migration-session.ts'
import type { RemoteClient } from './client.ts'
import { openClient } from './database.ts'
import { RemoteWriter } from './writer.ts'

const LOCK: Statement = Object.freeze({ sql: 'select 1', parameters: [] })

/** Changes the schema in one transaction, as on a file: all of it stands, or nothing. */
export class RemoteMigrationSession implements MigrationSession {
  readonly types = sqliteTypes
  readonly #client: RemoteClient
  readonly #writer: RemoteWriter
  #exclusive = false

  constructor(url: string, settings: ConnectionSettings, log: Logger) {
    this.#client = openClient(url, settings)
    this.#writer = new RemoteWriter(this.#client, log)
  }

  execute = (statement: Statement): Promise<StatementResult> =>
    this.#exclusive ? this.#writer.execute(statement) : this.#client.read(statement)

  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    await whenUnlocked(async () => {
      await this.#writer.begin()
      await this.#writer.execute(LOCK)
    })
    this.#exclusive = true
    try {
      const result = await work()
      await this.#writer.commit()
      return result
    } finally {
      this.#exclusive = false
      await this.#writer.rollback()
    }
  }

  /** All of `exclusively` is one transaction already. */
  async transaction(work: () => Promise<void>): Promise<void> {
    await work()
  }

  async close(): Promise<void> {
    this.#client.close()
  }
}
