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
 * Lets transactions of different calls share a commit, where a transaction of
 * its own for each costs more. The work is run speculatively first, supposing that
 * every write finds its row, as it does unless a race is lost. What it recorded
 * then runs together with others, and stands only if all was as supposed. In every
 * other case the work is run again, in a transaction of its own.
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

/** A transaction that was recorded instead of run, supposing that each of its writes finds its row. */
export interface RecordedTransaction<T> extends LastRows {
  readonly statements: readonly RecordedStatement[]
  /** What the transaction answers if it goes as supposed. */
  readonly value: T
}

/** A longer transaction would hold up those that share its commit; it runs on its own. A refresh is eight statements. */
const MAX_RECORDED = 32

/** Thrown into work that asks the database something; the work is then run where it gets an answer. */
class NeedsAnAnswer extends Error {}

/** Records transactions, one at a time; its stores are made once, and keep what they compile. */
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
   * `null`: the work depends on what the database says, is too long, or does not end in a commit. Or it audits
   * nothing: then no call decides a race by it, and it stays out of the commits that calls wait for.
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

/** How many rows a statement writes if all is as supposed; `null`: writing is not all it is for. */
function rowsWritten(query: RootOperationNode): number | null {
  if (InsertQueryNode.is(query)) {
    return query.values !== undefined && ValuesNode.is(query.values) ? query.values.values.length : null
  }
  return query.kind === 'UpdateQueryNode' || query.kind === 'DeleteQueryNode' ? 1 : null
}
