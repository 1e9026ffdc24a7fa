import { type DatabaseConnection, type Driver, Kysely, type QueryResult } from 'kysely'
import type { Dialect, Query, StatementResult } from './dialect.ts'
import type { Database } from './schema.ts'

type ExecuteQuery = (query: Query) => Promise<StatementResult>

/**
 * Kysely over something that runs statements. Transactions are begun and ended
 * by the lanes, not through Kysely.
 */
export function kyselyOver<Schema = Database>(parts: Dialect['kysely'], execute: ExecuteQuery): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: { ...parts, createDriver: () => driverOver(execute) } })
}

function driverOver(execute: ExecuteQuery): Driver {
  const connection: DatabaseConnection = {
    executeQuery: async <R>(query: Query): Promise<QueryResult<R>> => {
      const { rows, affected } = await execute(query)
      return { rows: rows as R[], numAffectedRows: BigInt(affected) }
    },
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
