import type { Logger } from '../../../context.ts'
import { DatabaseError } from '../core/database-error.ts'
import {
  orRollBack,
  type RecordedStatement,
  type Statement,
  type StatementResult,
  type Writer,
} from '../core/dialect.ts'
import { CombinedStatements } from './combined-statements.ts'
import type { Written } from './driver.ts'
import { beginRecorded } from './recorded-rounds.ts'
import { isStale, type ServerConnection } from './server-connection.ts'
import { ServerPipeline, unconfirmed } from './server-pipeline.ts'

/** Writes through a connection of its own. */
export class ServerWriter implements Writer {
  readonly pipeline: ServerPipeline | null
  readonly runsRecorded: boolean
  readonly #combined = new CombinedStatements()
  readonly #connection: ServerConnection
  readonly #probe: string
  readonly #log: Logger

  /** `multiStatements`: whether its connection was opened to carry many statements in one round trip. */
  constructor(connection: ServerConnection, multiStatements: boolean, probe: string, log: Logger) {
    this.runsRecorded = multiStatements
    this.pipeline = multiStatements ? new ServerPipeline(connection, () => this.rollback()) : null
    this.#connection = connection
    this.#probe = probe
    this.#log = log
  }

  execute = (statement: Statement): Promise<StatementResult> => this.#connection.execute(statement)

  async batch(statements: readonly Statement[]): Promise<void> {
    await this.begin()
    await this.commitAfter(statements)
  }

  /**
   * A connection that went stale unnoticed is opened anew: nothing was sent on it
   * yet. So is one to a node that waits in vain for the rest of its cluster.
   */
  async begin(): Promise<void> {
    await this.#connection.ready()
    try {
      await this.#connection.query('begin')
    } catch (error) {
      if (!isStale(error)) throw error
      this.#connection.drop()
      await this.#connection.ready()
      await this.#connection.query('begin')
    }
  }

  /**
   * A transaction that lost to another (a deadlock, on a cluster also found at
   * the commit) is rolled back for certain. Whatever else fails a commit leaves
   * open how it ended.
   */
  async commit(): Promise<void> {
    try {
      await this.#connection.commit()
    } catch (error) {
      await this.rollback()
      throw unconfirmed(error)
    }
  }

  /**
   * Runs the last statements of the open transaction, and commits. The commit goes by
   * itself: a text that carried it along could be under way, and not yet hold the
   * head of the chain, while that is read back on another connection.
   */
  async commitAfter(statements: readonly Statement[]): Promise<void> {
    await orRollBack(this, async () => {
      if (this.runsRecorded) await this.#writeAll(statements)
      else for (const statement of statements) await this.execute(statement)
    })
    await this.commit()
  }

  async #writeAll(statements: readonly Statement[]): Promise<void> {
    if (statements.length === 0) return
    const { failure } = await this.#connection.writeAll(statements)
    if (failure !== null) throw failure
  }

  beginRecorded(recorded: readonly (readonly RecordedStatement[])[]): Promise<readonly boolean[]> {
    return beginRecorded(this, recorded, this.#combined)
  }

  /** Runs statements in one round trip, up to the first that the server refuses. */
  writeAll(statements: readonly Statement[]): Promise<Written> {
    return this.#connection.writeAll(statements)
  }

  /** The server may have rolled back only the last statement, so this is always sent. */
  async rollback(): Promise<void> {
    try {
      await this.#connection.query('rollback')
    } catch (error) {
      const isGone = error instanceof DatabaseError && error.kind === 'lost'
      if (!isGone) this.#log.warn({ err: error }, 'rollback failed; closing the connection')
      this.#connection.drop()
    }
  }

  /** Looks at the session as well, before it begins: what changes sessions changes them at any time. */
  async probe(): Promise<void> {
    await this.#connection.ready()
    await this.#connection.verify()
    await this.begin()
    try {
      await this.#connection.query(this.#probe)
    } finally {
      await this.rollback()
    }
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}
