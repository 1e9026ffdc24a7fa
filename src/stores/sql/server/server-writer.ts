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

/** Writes through its own connection. */
export class ServerWriter implements Writer {
  readonly pipeline: ServerPipeline | null
  readonly runsRecorded: boolean
  readonly #combined = new CombinedStatements()
  readonly #connection: ServerConnection
  readonly #probe: string
  readonly #log: Logger

  /** `multiStatements`: whether the connection can carry many statements in one round trip. */
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
   * Reopens a connection that was stale without notice. This is safe, because nothing was sent on it yet. The same applies to
   * a connection to a node that lost its cluster.
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
   * A transaction that lost to another one is certainly rolled back. On a cluster, a deadlock may be found only at the
   * commit. After other errors the outcome is unknown.
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
   * Runs the last statements of the open transaction and commits. The commit is sent separately. If it were sent in the same
   * text, the text could still be running without the lock on the chain's head while another connection reads the head back.
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

  /** Runs statements in one round trip, up to the first failure. */
  writeAll(statements: readonly Statement[]): Promise<Written> {
    return this.#connection.writeAll(statements)
  }

  /** Always sent, because the server may have rolled back only the last statement. */
  async rollback(): Promise<void> {
    try {
      await this.#connection.query('rollback')
    } catch (error) {
      const isGone = error instanceof DatabaseError && error.kind === 'lost'
      if (!isGone) this.#log.warn({ err: error }, 'rollback failed; closing the connection')
      this.#connection.drop()
    }
  }

  /** Also verifies the session before it begins, because poolers may change it at any time. */
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
