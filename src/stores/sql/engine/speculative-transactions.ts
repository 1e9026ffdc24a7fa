import { InsertQueryNode, type RootOperationNode, ValuesNode } from 'kysely'
import type { Ending, TransactionStores } from '../../contract/backend.ts'
import type { StoreContext } from '../../contract/context.ts'
import type { Dialect, RecordedStatement } from '../core/dialect.ts'
import { kyselyOver } from '../core/kysely.ts'
import type { Database } from '../core/schema.ts'
import { type LastRows, LastRowsCollector } from '../tables/last-rows.ts'
import { transactionStores } from '../tables/stores.ts'
import type { GroupCommit } from './group-commit.ts'
import type { TransactionRunner } from './transaction-runner.ts'

/**
 * Lets the transactions of different calls share a commit, where separate transactions cost more. First, the work is run
 * speculatively on the assumption that every write matches its row, which holds unless a race is lost. The recorded
 * statements then run together with others and commit only if the assumption was right. Otherwise the work runs again in its
 * own transaction.
 */
export class SpeculativeTransactions {
  readonly #commits: GroupCommit
  readonly #runner: TransactionRunner
  readonly #dialect: Pick<Dialect, 'kysely'>
  readonly #recorders: TransactionRecorder[] = []

  constructor(commits: GroupCommit, runner: TransactionRunner, dialect: Pick<Dialect, 'kysely'>) {
    this.#commits = commits
    this.#runner = runner
    this.#dialect = dialect
  }

  async run<T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<T> {
    const recorder = this.#recorders.pop() ?? new TransactionRecorder(this.#dialect)
    const recorded = await recorder.record(work).finally(() => this.#recorders.push(recorder))
    if (recorded !== null && (await this.#commits.addRecorded(ctx, recorded))) return recorded.value
    return await this.#runner.run(ctx, work)
  }
}

/** A transaction that was recorded instead of run, on the assumption that each write matches its row. */
export interface RecordedTransaction<T> extends LastRows {
  readonly statements: readonly RecordedStatement[]
  /** The result of the transaction if the assumption is right. */
  readonly value: T
}

/**
 * The most statements. A longer transaction would delay those that share its commit, so it runs alone. A refresh has eight
 * statements.
 */
const MAX_RECORDED = 32

/** Thrown when the work queries the database. It then runs in a real transaction. */
class NeedsAnAnswer extends Error {}

/** Records transactions, one at a time. Its stores are created once and cache their compiled statements. */
class TransactionRecorder {
  readonly #stores: TransactionStores
  #statements: RecordedStatement[] = []
  readonly #last = new LastRowsCollector()
  #asked = false

  constructor(dialect: Pick<Dialect, 'kysely'>) {
    const db = kyselyOver<Database>(dialect.kysely, {
      execute: async ({ sql, parameters, query, rowWrite }) => {
        const affects = rowsWritten(query)
        if (affects === null) {
          this.#asked = true
          throw new NeedsAnAnswer()
        }
        this.#statements.push({ sql, parameters, affects, ...(rowWrite !== undefined && { rowWrite }) })
        return { rows: [], affected: affects }
      },
    })
    this.#stores = transactionStores(db, this.#last)
  }

  /**
   * `null`: the work depends on the database's answers, is too long, or does not commit. Work without audit events is also
   * excluded: no call decides a race with it, and it should not delay the commits that calls wait for.
   */
  async record<T>(work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<RecordedTransaction<T> | null> {
    this.#statements = []
    this.#last.reset()
    this.#asked = false
    try {
      const { commit, value } = await work(this.#stores)
      const { events, ended } = this.#last
      if (!commit || this.#asked || this.#statements.length > MAX_RECORDED || events.length === 0) return null
      return { statements: this.#statements, events, ended, value }
    } catch (error) {
      if (this.#asked) return null
      throw error
    }
  }
}

/** The number of rows that a statement writes on the assumption. `null`: it is not only a write. */
function rowsWritten(query: RootOperationNode): number | null {
  if (InsertQueryNode.is(query)) {
    return query.values !== undefined && ValuesNode.is(query.values) ? query.values.values.length : null
  }
  return query.kind === 'UpdateQueryNode' || query.kind === 'DeleteQueryNode' ? 1 : null
}
