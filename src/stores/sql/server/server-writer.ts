import type { Logger } from '../../../logger.ts'
import { messageOf } from '../../../message-of.ts'
import type { Statement, StatementResult, Writer } from '../dialect.ts'
import { DatabaseTrouble } from '../trouble.ts'
import { isStale, type ServerConnection } from './server-connection.ts'

/** Writes through a connection of its own. */
export class ServerWriter implements Writer {
  /** Its connections commit side by side, and the server lets them share a flush. */
  readonly drafts = null
  readonly #connection: ServerConnection
  readonly #probe: string
  readonly #log: Logger

  constructor(connection: ServerConnection, probe: string, log: Logger) {
    this.#connection = connection
    this.#probe = probe
    this.#log = log
  }

  execute = (statement: Statement): Promise<StatementResult> => this.#connection.execute(statement)

  async batch(statements: readonly Statement[]): Promise<void> {
    await this.begin()
    try {
      for (const statement of statements) await this.execute(statement)
    } catch (error) {
      await this.rollback()
      throw error
    }
    await this.commit()
  }

  /**
   * A connection that went stale unnoticed is opened anew: nothing was said on it
   * yet. So is one to a node that waits in vain for the rest of its cluster.
   */
  async begin(): Promise<void> {
    await this.#connection.ready()
    try {
      await this.#connection.say('begin')
    } catch (error) {
      if (!isStale(error)) throw error
      this.#connection.drop()
      await this.#connection.ready()
      await this.#connection.say('begin')
    }
  }

  /**
   * A transaction that lost to another (a deadlock, on a cluster also found at
   * the commit) is rolled back for certain. Whatever else fails a commit leaves
   * open how it ended.
   */
  async commit(): Promise<void> {
    try {
      await this.#connection.say('commit')
    } catch (error) {
      await this.rollback()
      if (error instanceof DatabaseTrouble && error.kind === 'conflict') throw error
      throw new DatabaseTrouble('outcome_unknown', `the commit was not confirmed: ${messageOf(error)}`, error)
    }
  }

  /** The server may have rolled back only the last statement, so this is always said. */
  async rollback(): Promise<void> {
    try {
      await this.#connection.say('rollback')
    } catch (error) {
      const isGone = error instanceof DatabaseTrouble && error.kind === 'lost'
      if (!isGone) this.#log.warn({ err: error }, 'a transaction could not be rolled back; dropping its connection')
      this.#connection.drop()
    }
  }

  async probe(): Promise<void> {
    await this.begin()
    try {
      await this.#connection.say(this.#probe)
    } finally {
      await this.rollback()
    }
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}
