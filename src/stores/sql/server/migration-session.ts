import type { ColumnTypes, MigrationSession, Statement, StatementResult } from '../core/dialect.ts'
import type { RawConnection } from './driver.ts'

/**
 * A connection that changes the schema of a database on a server. Schema changes commit one by one there, so a lock excludes
 * other migrators.
 */
export abstract class ServerMigrationSession implements MigrationSession {
  abstract readonly types: ColumnTypes
  protected readonly connection: RawConnection

  constructor(connection: RawConnection) {
    this.connection = connection
  }

  /** The text of a schema change includes its values, and some servers cannot prepare it. */
  execute = (statement: Statement): Promise<StatementResult> =>
    statement.parameters.length === 0 ? this.connection.query(statement.sql) : this.connection.execute(statement)

  /** A failure ends the session, and therefore the lock. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    await this.lock()
    const result = await work()
    await this.unlock()
    return result
  }

  /** The server rolls back a lost connection. */
  async transaction(work: () => Promise<void>): Promise<void> {
    await this.connection.query('begin')
    try {
      await work()
      await this.connection.query('commit')
    } catch (error) {
      if (this.connection.usable) await this.connection.query('rollback')
      throw error
    }
  }

  async close(): Promise<void> {
    await this.connection.end()
  }

  /** Excludes other migrators and waits for a running one. Throws `busy` after a time limit. */
  protected abstract lock(): Promise<void>
  protected abstract unlock(): Promise<void>
}
