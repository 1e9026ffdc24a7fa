import type { Connection } from 'mysql2/promise'
import type { Logger } from '../../../../logger.ts'
import type { Statement, StatementResult, Writer } from '../../dialect.ts'
import { DatabaseTrouble } from '../../trouble.ts'
import { troubleOf } from './errors.ts'
import { executeOn, openConnection } from './session.ts'

/** A connection of its own, opened when it is first needed and again when it was lost. */
export class MysqlWriter implements Writer {
  readonly #url: string
  readonly #log: Logger
  #connection: Connection | null = null

  constructor(url: string, log: Logger) {
    this.#url = url
    this.#log = log
  }

  execute = async (statement: Statement): Promise<StatementResult> => {
    const connection = this.#connection
    if (connection === null) throw new DatabaseTrouble('lost', 'the connection to the database is lost')
    return await this.#watched(() => executeOn(connection, statement))
  }

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

  async begin(): Promise<void> {
    this.#connection ??= await openConnection(this.#url)
    await this.#say('begin')
  }

  /** A deadlock found at the commit (Galera) is rolled back; if the connection breaks, nobody knows how it ended. */
  async commit(): Promise<void> {
    try {
      await this.#say('commit')
    } catch (error) {
      const trouble = troubleOf(error)
      if (trouble.kind !== 'lost') {
        await this.rollback()
        throw trouble
      }
      throw new DatabaseTrouble('outcome_unknown', 'the connection to the database broke while committing', error)
    }
  }

  /** The server may have rolled back only the last statement (1205), so this is always said. */
  async rollback(): Promise<void> {
    if (this.#connection === null) return
    try {
      await this.#say('rollback')
    } catch (error) {
      this.#log.warn({ err: error }, 'a transaction could not be rolled back; dropping its connection')
      this.#drop()
    }
  }

  /** An update that matches nothing is refused by a read-only server all the same. */
  async probe(): Promise<void> {
    await this.begin()
    try {
      await this.#say('update oauth_audit_heads set sequence = sequence where 1 = 0')
    } finally {
      await this.rollback()
    }
  }

  async close(): Promise<void> {
    const connection = this.#connection
    this.#connection = null
    await connection?.end().catch(() => connection.destroy())
  }

  async #say(sql: string): Promise<void> {
    const connection = this.#connection
    if (connection === null) throw new DatabaseTrouble('lost', 'the connection to the database is lost')
    await this.#watched(() => connection.query(sql))
  }

  async #watched<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const trouble = troubleOf(error)
      if (trouble.kind === 'lost') this.#drop()
      throw trouble
    }
  }

  #drop(): void {
    this.#connection?.destroy()
    this.#connection = null
  }
}
