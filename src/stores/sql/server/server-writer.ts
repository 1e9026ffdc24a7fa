import type { Logger } from '../../../logger.ts'
import { messageOf } from '../../../message-of.ts'
import type { DraftedStatement, DraftRunner, Statement, StatementResult, Writer } from '../dialect.ts'
import { DatabaseTrouble, isConflict } from '../trouble.ts'
import type { Written } from './driver.ts'
import { isStale, type ServerConnection } from './server-connection.ts'

const COMMIT: Statement = Object.freeze({ sql: 'commit', parameters: [] })

type Draft = readonly DraftedStatement[]

/** Writes through a connection of its own. */
export class ServerWriter implements Writer {
  readonly drafts: DraftRunner | null
  readonly #connection: ServerConnection
  readonly #manyAtOnce: boolean
  readonly #probe: string
  readonly #log: Logger

  /** `manyAtOnce`: whether its connection was opened to carry many statements in one round trip. */
  constructor(connection: ServerConnection, manyAtOnce: boolean, probe: string, log: Logger) {
    this.drafts = manyAtOnce
      ? { begin: (drafts) => this.#beginDrafts(drafts), commit: (statements) => this.#commitAll(statements) }
      : null
    this.#connection = connection
    this.#manyAtOnce = manyAtOnce
    this.#probe = probe
    this.#log = log
  }

  execute = (statement: Statement): Promise<StatementResult> => this.#connection.execute(statement)

  async batch(statements: readonly Statement[]): Promise<void> {
    await this.begin()
    if (this.#manyAtOnce) return await this.#commitAll(statements)
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
      throw unconfirmed(error)
    }
  }

  /** The statements and the commit in one round trip. */
  async #commitAll(statements: readonly Statement[]): Promise<void> {
    let written: Written
    try {
      written = await this.#connection.writeAll([...statements, COMMIT])
    } catch (error) {
      await this.rollback()
      throw unconfirmed(error)
    }
    const { affected, failure } = written
    if (failure === null) return
    await this.rollback()
    throw affected.length < statements.length ? failure : unconfirmed(failure)
  }

  /**
   * All drafts in one round trip. The server does not look at what each of them
   * wrote, so where one did not go as supposed the transaction is rolled back, and
   * begun again without it.
   */
  async #beginDrafts(drafts: readonly Draft[]): Promise<readonly boolean[]> {
    const standing = new Set(drafts)
    for (;;) {
      await this.begin()
      const refuted = await this.#refutedOf([...standing])
      if (refuted.length === 0) return drafts.map((draft) => standing.has(draft))
      await this.rollback()
      for (const draft of refuted) standing.delete(draft)
    }
  }

  /** Runs drafts; throws what is the database's fault, with all of them rolled back. */
  async #refutedOf(drafts: readonly Draft[]): Promise<readonly Draft[]> {
    const statements = drafts.flat()
    if (statements.length === 0) return []
    try {
      const { affected, failure } = await this.#connection.writeAll(statements)
      if (failure !== null && !isOfTheRows(failure)) throw failure
      let at = -1
      // Past the one that failed nothing was run, which speaks against no draft.
      const wentAsDrafted = ({ affects }: DraftedStatement) => {
        at += 1
        return at > affected.length || affected[at] === affects
      }
      return drafts.filter((draft) => draft.filter(wentAsDrafted).length < draft.length)
    } catch (error) {
      await this.rollback()
      throw error
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

/** What may have been committed, unless it lost to another transaction. */
function unconfirmed(error: unknown): DatabaseTrouble {
  if (isConflict(error)) return error
  return new DatabaseTrouble('outcome_unknown', `the commit was not confirmed: ${messageOf(error)}`, error)
}

/** Whether the rows are at fault that were to be written, rather than the database. */
function isOfTheRows({ kind }: DatabaseTrouble): boolean {
  return kind === 'duplicate' || kind === 'refused'
}
