import { type Connection, DatabaseError as ServerError, type Submittable } from 'pg'
import type { DatabaseError } from '../../core/database-error.ts'
import type { Statement } from '../../core/dialect.ts'
import { bindable, type Written } from '../../server/driver.ts'
import { databaseErrorOf } from './errors.ts'

/** A statement in a pipeline. */
interface Message {
  /** The name of the prepared statement. Empty: not kept. */
  readonly name: string
  readonly text: string
  readonly values: (string | Buffer | null)[]
}

/** The server's message at the end of a statement. */
interface CommandComplete {
  /** Such as `UPDATE 1` or `INSERT 0 32`. */
  readonly text: string
}

/**
 * Sends statements without result rows in one write, and receives their answers in few reads. The extended protocol allows a
 * client to continue without waiting. The server runs the statements in order and, after a failure, skips the rest. The
 * client calls `submit` when it is the pipeline's turn, and passes it the server's answers.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
export class Pipeline implements Submittable {
  /** Resolves when the server has run all statements or one has failed. Rejects if it did not answer. */
  readonly written: Promise<Written>
  readonly #messages: readonly Message[]
  /** The names of the session's prepared statements. */
  readonly #prepared: Set<string>
  readonly #affected: number[] = []
  readonly #resolve: (written: Written) => void
  readonly #reject: (error: DatabaseError) => void

  /** `prepared` belongs to the session. The pipeline adds the statements that it prepares. */
  constructor(statements: readonly Statement[], nameOf: (sql: string) => string, prepared: Set<string>) {
    // Values are bound before anything is sent, so that an invalid value does not leave half a pipeline.
    this.#messages = statements.map(({ sql, parameters }) => ({
      // Statements without parameters, such as BEGIN, do not benefit from preparation.
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
        // A failed pipeline may or may not have prepared it. Closing an unknown statement is not an error.
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

  /** Statements that return rows are not supported here, but must not end the process. */
  handleDataRow(): void {
    // Nobody asked for it.
  }

  /** An error of the server or of the connection. */
  handleError(error: unknown): void {
    const failure = databaseErrorOf(error)
    if (error instanceof ServerError) this.#resolve({ affected: this.#affected, failure })
    else this.#reject(failure)
  }

  handleReadyForQuery(): void {
    this.#resolve({ affected: this.#affected, failure: null })
  }
}

/** As text, except for bytes. */
function bound(parameter: unknown): string | Buffer | null {
  const value = bindable(parameter)
  return value === null || Buffer.isBuffer(value) ? value : String(value)
}
