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

/** What Kysely hands its compiled queries to. */
export interface StatementExecutor {
  execute(query: Query): Promise<StatementResult>
}

/**
 * Kysely over something that runs statements. Transactions are begun and ended
 * by the writers, not through Kysely.
 */
export function kyselyOver<Schema>(parts: Dialect['kysely'], executor: StatementExecutor): Kysely<Schema> {
  return new DirectKysely<Schema>({ dialect: { ...parts, createDriver: () => new DirectDriver(executor) } }, executor)
}

/** Collects the statements of `write` instead of running them; no database is needed. */
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
 * Hands a compiled query over as it is. Kysely's own way, which acquires a
 * connection and runs plugins, of which there are none, takes six turns.
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

/** For what a query builder or an `sql` fragment executes by itself. It is its own, only connection. */
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
    // There is nothing to open: the connections belong to whoever made this.
  }

  async releaseConnection(): Promise<void> {
    // Nothing was acquired.
  }

  async destroy(): Promise<void> {
    // Nothing was opened.
  }
}

/** The rows are as the query says: the schema and what migrated it are checked elsewhere. */
function resultOf<R>({ rows, affected }: StatementResult): QueryResult<R> {
  return { rows: rows as R[], numAffectedRows: BigInt(affected) }
}
