import { type Connection, DatabaseError as ServerError, type Submittable } from 'pg'
import type { DatabaseError } from '../../core/database-error.ts'
import type { Statement } from '../../core/dialect.ts'
import { bindable, type Written } from '../../server/driver.ts'
import { databaseErrorOf } from './errors.ts'

/** A statement as a pipeline sends it. */
interface Message {
  /** What it is prepared as; empty: nothing that is kept. */
  readonly name: string
  readonly text: string
  readonly values: (string | Buffer | null)[]
}

/** What the server sends when a statement has ended. */
interface CommandComplete {
  /** Such as `UPDATE 1` or `INSERT 0 32`. */
  readonly text: string
}

/**
 * Statements that answer no rows, sent in one write and answered in as few: the
 * extended protocol lets a client go on without waiting. The server runs them in
 * order, and after one that it refuses skips all others.
 *
 * The client calls `submit` when its turn has come, and hands it what the server answers.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
export class Pipeline implements Submittable {
  /** Resolves when the server has run all or refused one; rejects if it gave no answer. */
  readonly written: Promise<Written>
  readonly #messages: readonly Message[]
  /** What the session keeps prepared. */
  readonly #prepared: Set<string>
  readonly #affected: number[] = []
  readonly #resolve: (written: Written) => void
  readonly #reject: (error: DatabaseError) => void

  /** `prepared` belongs to the session, and takes what this one prepares. */
  constructor(statements: readonly Statement[], nameOf: (sql: string) => string, prepared: Set<string>) {
    // Before anything is sent: a value that cannot be stored leaves no half of a pipeline behind.
    this.#messages = statements.map(({ sql, parameters }) => ({
      // What begins or ends a transaction gains nothing by being prepared.
      name: parameters.length === 0 ? '' : nameOf(sql),
      text: sql,
      values: parameters.map(bound),
    }))
    this.#prepared = prepared
    const { promise, resolve, reject } = Promise.withResolvers<Written>()
    this.written = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  submit(connection: Connection): null {
    const parsed = new Set<string>()
    connection.stream.cork()
    for (const { name, text, values } of this.#messages) {
      if (name === '' || !(this.#prepared.has(name) || parsed.has(name))) {
        // A pipeline that failed may have prepared it or not; to close what is not there is no error.
        if (name !== '') connection.close({ type: 'S', name }, true)
        connection.parse({ name, text, types: [] }, true)
        parsed.add(name)
      }
      connection.bind({ statement: name, values }, true)
      connection.execute(null, true)
    }
    connection.sync()
    connection.stream.uncork()
    return null
  }

  handleCommandComplete({ text }: CommandComplete): void {
    const name = this.#messages[this.#affected.length]?.name ?? ''
    if (name !== '') this.#prepared.add(name)
    this.#affected.push(Number(text.slice(text.lastIndexOf(' ') + 1)))
  }

  /** A statement that answers rows does not belong here, but must not end the process. */
  handleDataRow(): void {
    // Nobody asked for it.
  }

  /** What the server refuses, or what broke the connection. */
  handleError(error: unknown): void {
    const failure = databaseErrorOf(error)
    if (error instanceof ServerError) this.#resolve({ affected: this.#affected, failure })
    else this.#reject(failure)
  }

  handleReadyForQuery(): void {
    this.#resolve({ affected: this.#affected, failure: null })
  }
}

/** As text, save bytes. */
function bound(parameter: unknown): string | Buffer | null {
  const value = bindable(parameter)
  return value === null || Buffer.isBuffer(value) ? value : String(value)
}
