import { LibsqlBatchError } from '@libsql/client/http'
import type { Logger } from '../../../../context.ts'
import { DatabaseError, located } from '../../core/database-error.ts'
import type { ConnectionSettings, MigrationSession, Statement, StatementResult } from '../../core/dialect.ts'
import { sqliteTypes } from '../sqlite/column-types.ts'
import { whenUnlocked } from '../sqlite/migration-session.ts'
import type { RemoteClient } from './client.ts'
import { openClient } from './database.ts'
import { RemoteWriter } from './writer.ts'

const LOCK: Statement = Object.freeze({ sql: 'select 1', parameters: [] })

interface UnsentStatement extends Statement {
  readonly place: string | null
}

const NOTHING: StatementResult = Object.freeze({ rows: [], affected: 0 })

/**
 * Changes the schema in one transaction, as on a file. The server ends a transaction after some seconds, so a statement with
 * a place is queued, and sent in one request with the next ones or the commit.
 */
export class RemoteMigrationSession implements MigrationSession {
  readonly types = sqliteTypes
  readonly #client: RemoteClient
  readonly #writer: RemoteWriter
  #exclusive = false
  #unsent: UnsentStatement[] = []

  constructor(url: string, settings: ConnectionSettings, log: Logger) {
    this.#client = openClient(url, settings)
    this.#writer = new RemoteWriter(this.#client, log)
  }

  execute = async (statement: Statement, place: string | null = null): Promise<StatementResult> => {
    if (!this.#exclusive) return await this.#client.read(statement)
    this.#unsent.push({ ...statement, place })
    if (place !== null) return NOTHING
    const results = await this.#send((statements) => this.#writer.executeAll(statements))
    return results.at(-1) ?? NOTHING
  }

  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    await whenUnlocked(async () => {
      await this.#writer.begin()
      await this.#writer.execute(LOCK)
    })
    this.#exclusive = true
    try {
      const result = await work()
      await this.#send((statements) => this.#writer.commitAfter(statements))
      return result
    } finally {
      this.#exclusive = false
      this.#unsent = []
      await this.#writer.rollback()
    }
  }

  /** `exclusively` is already one transaction. */
  async transaction(work: () => Promise<void>): Promise<void> {
    await work()
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  async #send<T>(run: (statements: readonly Statement[]) => Promise<T>): Promise<T> {
    const statements = this.#unsent
    this.#unsent = []
    try {
      return await run(statements)
    } catch (error) {
      const cause = error instanceof DatabaseError ? error.cause : null
      const place = cause instanceof LibsqlBatchError ? statements[cause.statementIndex]?.place : null
      throw place ? located(error, place) : error
    }
  }
}
