import {
  type Compilable,
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type KyselyConfig,
  type QueryResult,
} from 'kysely'
import type { Dialect, Query, Statement, StatementResult } from './dialect.ts'

/** Runs the queries that Kysely compiled. */
export interface StatementExecutor {
  execute(query: Query): Promise<StatementResult>
}

/** Creates a Kysely instance over an executor of statements. The writers begin and end transactions, not Kysely. */
export function kyselyOver<Schema>(parts: Dialect['kysely'], executor: StatementExecutor): Kysely<Schema> {
  return new DirectKysely<Schema>({ dialect: { ...parts, createDriver: () => new DirectDriver(executor) } }, executor)
}

/** Collects the statements of `write` without running them. No database is needed. */
export async function recordStatements(
  dialect: Pick<Dialect, 'kysely'>,
  write: (db: Kysely<unknown>) => Promise<void>,
): Promise<readonly Statement[]> {
  const statements: Statement[] = []
  const recorder = kyselyOver<unknown>(dialect.kysely, {
    execute: async ({ sql, parameters }) => {
      statements.push({ sql, parameters })
      return { rows: [], affected: 0 }
    },
  })
  await write(recorder)
  return statements
}

/**
 * Passes a compiled query directly to the executor. Kysely's default, which acquires a connection and applies plugins, takes
 * six turns of the event loop.
 */
class DirectKysely<Schema> extends Kysely<Schema> {
  readonly #executor: StatementExecutor

  constructor(config: KyselyConfig, executor: StatementExecutor) {
    super(config)
    this.#executor = executor
  }

  override async executeQuery<R>(query: CompiledQuery<R> | Compilable<R>): Promise<QueryResult<R>> {
    return resultOf(await this.#executor.execute('compile' in query ? query.compile() : query))
  }
}

/** For query builders and `sql` fragments that execute themselves. It is its own, only connection. */
class DirectDriver implements Driver, DatabaseConnection {
  readonly #executor: StatementExecutor

  constructor(executor: StatementExecutor) {
    this.#executor = executor
  }

  async executeQuery<R>(query: Query): Promise<QueryResult<R>> {
    return resultOf(await this.#executor.execute(query))
  }

  streamQuery(): never {
    throw new Error('rows are not streamed: lists are read in pages')
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return this
  }

  async beginTransaction(): Promise<void> {
    throw new Error('transactions are begun by a writer')
  }

  async commitTransaction(): Promise<void> {
    throw new Error('transactions are committed by a writer')
  }

  async rollbackTransaction(): Promise<void> {
    throw new Error('transactions are rolled back by a writer')
  }

  async init(): Promise<void> {
    // Nothing to open: the caller owns the connections.
  }

  async releaseConnection(): Promise<void> {
    // Nothing was acquired.
  }

  async destroy(): Promise<void> {
    // Nothing was opened.
  }
}

/** Rows are typed as the query declares. The schema is verified elsewhere. */
function resultOf<R>({ rows, affected }: StatementResult): QueryResult<R> {
  return { rows: rows as R[], numAffectedRows: BigInt(affected) }
}
