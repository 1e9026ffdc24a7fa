import type { Logger } from '../../../logger.ts'
import { messageOf } from '../../../message-of.ts'
import { DatabaseError, isConflict } from '../core/database-error.ts'
import type { RecordedStatement, SpeculativeRunner, Statement, StatementResult, Writer } from '../core/dialect.ts'
import { orRolledBack } from '../core/or-rolled-back.ts'
import { isStale, type ServerConnection } from './server-connection.ts'

/** So often a batch of drafts is sent again without those that failed; then those behind them go alone too. */
const MOST_ROUNDS = 3

type Draft = readonly RecordedStatement[]

/** Writes through a connection of its own. */
export class ServerWriter implements Writer {
  readonly speculative: SpeculativeRunner | null
  readonly #connection: ServerConnection
  readonly #probe: string
  readonly #log: Logger

  /** `manyAtOnce`: whether its connection was opened to carry many statements in one round trip. */
  constructor(connection: ServerConnection, manyAtOnce: boolean, probe: string, log: Logger) {
    this.speculative = manyAtOnce
      ? { begin: (drafts) => this.#beginDrafts(drafts), commit: (statements) => this.#commitAfter(statements) }
      : null
    this.#connection = connection
    this.#probe = probe
    this.#log = log
  }

  execute = (statement: Statement): Promise<StatementResult> => this.#connection.execute(statement)

  async batch(statements: readonly Statement[]): Promise<void> {
    await this.begin()
    await this.#commitAfter(statements)
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
      throw unconfirmed(error)
    }
  }

  /**
   * Runs the last statements of the open transaction, and commits. The commit goes by
   * itself: a text that carried it along could be under way, and not yet hold the
   * head of the chain, while that is read back on another connection.
   */
  async #commitAfter(statements: readonly Statement[]): Promise<void> {
    await orRolledBack(this, async () => {
      if (this.speculative !== null) await this.#writeAll(statements)
      else for (const statement of statements) await this.execute(statement)
    })
    await this.commit()
  }

  async #writeAll(statements: readonly Statement[]): Promise<void> {
    if (statements.length === 0) return
    const { failure } = await this.#connection.writeAll(statements)
    if (failure !== null) throw failure
  }

  /**
   * All drafts in one round trip. The server does not look at what each of them
   * wrote, so where one did not go as supposed the transaction is rolled back, and
   * begun again without it.
   */
  async #beginDrafts(drafts: readonly Draft[]): Promise<readonly boolean[]> {
    const standing = new Set(drafts)
    for (let round = 1; ; round += 1) {
      await this.begin()
      const refuted = await orRolledBack(this, () => this.#refutedOf([...standing], round < MOST_ROUNDS))
      if (refuted.length === 0) return drafts.map((draft) => standing.has(draft))
      await this.rollback()
      for (const draft of refuted) standing.delete(draft)
    }
  }

  /**
   * Runs drafts; throws what is the database's fault.
   * `sparing`: those behind one that failed, which were not run, are not among the refuted.
   */
  async #refutedOf(drafts: readonly Draft[], sparing: boolean): Promise<readonly Draft[]> {
    const statements = drafts.flat()
    if (statements.length === 0) return []
    const { affected, failure } = await this.#connection.writeAll(statements)
    if (failure !== null && !isOfOneDraft(failure)) throw failure
    let at = -1
    const wentAsDrafted = ({ affects }: RecordedStatement) => {
      at += 1
      return at > affected.length ? sparing : affected[at] === affects
    }
    return drafts.filter((draft) => draft.filter(wentAsDrafted).length < draft.length)
  }

  /** The server may have rolled back only the last statement, so this is always said. */
  async rollback(): Promise<void> {
    try {
      await this.#connection.say('rollback')
    } catch (error) {
      const isGone = error instanceof DatabaseError && error.kind === 'lost'
      if (!isGone) this.#log.warn({ err: error }, 'a transaction could not be rolled back; dropping its connection')
      this.#connection.drop()
    }
  }

  /** Looks at the session as well, before it begins: what changes sessions changes them at any time. */
  async probe(): Promise<void> {
    await this.#connection.ready()
    await this.#connection.verify()
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

/** What may have been committed, unless it lost to another transaction. */
function unconfirmed(error: unknown): DatabaseError {
  if (isConflict(error)) return error
  return new DatabaseError('outcome_unknown', `the commit was not confirmed: ${messageOf(error)}`, error)
}

/** Whether the draft is at fault, or waited in vain for a row, rather than the database: alone it holds nobody up. */
function isOfOneDraft({ kind }: DatabaseError): boolean {
  return kind === 'duplicate' || kind === 'refused' || kind === 'conflict'
}
