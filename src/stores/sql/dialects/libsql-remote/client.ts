import { type Client, createClient, type InArgs, type ResultSet, type Transaction } from '@libsql/client/http'
import type { LibsqlUrl } from '../../../../domain/libsql-url.ts'
import type { ConnectionSettings, Statement, StatementResult } from '../../core/dialect.ts'
import { bindable } from '../libsql/library.ts'
import { databaseErrorOf } from './errors.ts'
import { HranaTransport, type UnansweredStreamError } from './transport.ts'

/**
 * A replica answers a batch only if no statement needs the primary, and this one does. The whole batch then goes to the
 * primary. The statement takes no lock there.
 */
export const OF_THE_PRIMARY = 'pragma user_version'

/** Sends requests to one database. Except for transactions, each opens and closes its own resources on the server. */
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

  /** Reads committed data of the primary in one request. Throws `DatabaseError`. */
  async read(statement: Statement): Promise<StatementResult> {
    try {
      const [found] = await this.#client.batch([sendable(statement), OF_THE_PRIMARY], 'deferred')
      return resultOf(found)
    } catch (error) {
      throw databaseErrorOf(error)
    }
  }

  /** A transaction that holds the write lock from its first statement. The begin is sent with that statement. */
  async begin(): Promise<Transaction> {
    try {
      return await this.#client.transaction('write')
    } catch (error) {
      throw databaseErrorOf(error)
    }
  }

  /** See `HranaTransport.release`. */
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

/** Rows as objects with the column names as keys, and with bytes as buffers. */
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
