import {
  type Compilable,
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type KyselyConfig,
  type QueryResult,
} from 'kysely'
import type { Database } from '../core/schema.ts'
import type { Dialect, Query, StatementResult } from './dialect.ts'

type ExecuteQuery = (query: Query) => Promise<StatementResult>

/**
 * Kysely over something that runs statements. Transactions are begun and ended
 * by the lanes, not through Kysely.
 */
export function kyselyOver<Schema = Database>(parts: Dialect['kysely'], execute: ExecuteQuery): Kysely<Schema> {
  return new DirectKysely<Schema>({ dialect: { ...parts, createDriver: () => driverOver(execute) } }, execute)
}

/** Hands what is compiled over as it is: to hand out connections and run plugins, of which there are none, takes six turns. */
class DirectKysely<Schema> extends Kysely<Schema> {
  readonly #execute: ExecuteQuery

  constructor(config: KyselyConfig, execute: ExecuteQuery) {
    super(config)
    this.#execute = execute
  }

  override async executeQuery<R>(query: CompiledQuery<R> | Compilable<R>): Promise<QueryResult<R>> {
    return resultOf(await this.#execute('compile' in query ? query.compile() : query))
  }
}

/** The rows are as the query says: the schema and what migrated it are checked elsewhere. */
function resultOf<R>({ rows, affected }: StatementResult): QueryResult<R> {
  return { rows: rows as R[], numAffectedRows: BigInt(affected) }
}

function driverOver(execute: ExecuteQuery): Driver {
  const connection: DatabaseConnection = {
    executeQuery: async <R>(query: Query): Promise<QueryResult<R>> => resultOf(await execute(query)),
    streamQuery: () => {
      throw new Error('rows are not streamed: lists are read in pages')
    },
  }
  const notHere = async () => {
    throw new Error('transactions belong to the lanes')
  }
  const nothing = async () => undefined
  return {
    init: nothing,
    acquireConnection: async () => connection,
    beginTransaction: notHere,
    commitTransaction: notHere,
    rollbackTransaction: notHere,
    releaseConnection: nothing,
    destroy: nothing,
  }
}
