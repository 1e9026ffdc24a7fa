import type { ColumnTypes, MigrationSession, Statement, StatementResult } from '../core/dialect.ts'
import type { RawConnection } from './driver.ts'

/**
 * A connection of its own that changes the schema of a database on a server. Schema
 * changes commit one by one there, so a lock is what makes a migrator exclusive.
 */
export abstract class ServerMigrationSession implements MigrationSession {
  abstract readonly types: ColumnTypes
  protected readonly connection: RawConnection

  constructor(connection: RawConnection) {
    this.connection = connection
  }

  /** The text of a schema change holds its values, and on some servers cannot be prepared. */
  execute = (statement: Statement): Promise<StatementResult> =>
    statement.parameters.length === 0 ? this.connection.query(statement.sql) : this.connection.execute(statement)

  /** Work that fails ends the session, and the lock with it. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    await this.lock()
    const result = await work()
    await this.unlock()
    return result
  }

  /** A connection that is lost was rolled back by the server. */
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

  /** Keeps other migrators out, and waits for one that is at work; throws `busy` if that takes too long. */
  protected abstract lock(): Promise<void>
  protected abstract unlock(): Promise<void>
}
