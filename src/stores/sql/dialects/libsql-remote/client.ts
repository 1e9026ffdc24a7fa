import { type Client, createClient, type InArgs, type ResultSet, type Transaction } from '@libsql/client/http'
import type { LibsqlUrl } from '../../../../domain/libsql-url.ts'
import type { ConnectionSettings, Statement, StatementResult } from '../../core/dialect.ts'
import { bindable } from '../libsql/library.ts'
import { databaseErrorOf } from './errors.ts'
import { HranaTransport, type UnansweredStreamError } from './transport.ts'

/**
 * A replica answers a batch itself only if nothing in it is the primary's, and this
 * question is: the whole batch then goes to the primary, and takes no lock there.
 */
export const OF_THE_PRIMARY = 'pragma user_version'

/** The requests to one database; each opens and closes what it needs on the server, but for transactions. */
export class RemoteClient {
  readonly #transport: HranaTransport
  readonly #client: Client

  constructor(url: LibsqlUrl, settings: ConnectionSettings) {
    const { authToken, poolSize } = settings
    this.#transport = new HranaTransport(url, settings)
    this.#client = createClient({
      url: url.base,
      ...(authToken === null ? {} : { authToken }),
      fetch: this.#transport.fetch,
      concurrency: poolSize,
    })
  }

  /** Reads what the primary has committed, in one request; throws `DatabaseError`. */
  async read(statement: Statement): Promise<StatementResult> {
    try {
      const [found] = await this.#client.batch([sendable(statement), OF_THE_PRIMARY], 'deferred')
      return resultOf(found)
    } catch (error) {
      throw databaseErrorOf(error)
    }
  }

  /** A transaction that holds the lock for writing from its first statement on, with which its beginning is sent. */
  async begin(): Promise<Transaction> {
    try {
      return await this.#client.transaction('write')
    } catch (error) {
      throw databaseErrorOf(error)
    }
  }

  /** As `HranaTransport.release`. */
  release(error: UnansweredStreamError): Promise<boolean> {
    return this.#transport.release(error)
  }

  close(): void {
    this.#client.close()
    this.#transport.close()
  }
}

export function sendable({ sql, parameters }: Statement): { readonly sql: string; readonly args: InArgs } {
  return { sql, args: parameters.map(bindable) }
}

/** Rows as objects, by the names of their columns, with bytes as buffers. */
export function resultOf(found: ResultSet | undefined): StatementResult {
  if (found === undefined) return { rows: [], affected: 0 }
  const { columns, rows, rowsAffected } = found
  return {
    rows: rows.map((row) =>
      Object.fromEntries(
        columns.map((column, at) => {
          const value = row[at]
          return [column, value instanceof ArrayBuffer ? Buffer.from(value) : value]
        }),
      ),
    ),
    affected: rowsAffected,
  }
}
