import type { Ending, TransactionStores } from '../../contract/backend.ts'
import type { StoreContext } from '../../contract/context.ts'
import type { Dialect } from '../core/dialect.ts'
import type { GroupCommit } from './group-commit.ts'
import { TransactionRecorder } from './transaction-recorder.ts'
import type { TransactionRunner } from './transaction-runner.ts'

/**
 * Lets transactions of different calls share a commit, where a transaction of
 * its own for each costs more. The work is run speculatively first, supposing that
 * every write finds its row, as it does unless a race is lost; what it\n * recorded is then run among others, and stands only if all was as supposed. In
 * every other case the work is run again, in a transaction of its own.
 */
export class SpeculativeTransactions {
  readonly #appends: GroupCommit
  readonly #whole: TransactionRunner
  readonly #dialect: Pick<Dialect, 'kysely'>
  readonly #recorders: TransactionRecorder[] = []

  constructor(appends: GroupCommit, whole: TransactionRunner, dialect: Pick<Dialect, 'kysely'>) {
    this.#appends = appends
    this.#whole = whole
    this.#dialect = dialect
  }

  async run<T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<T> {
    const recorder = this.#recorders.pop() ?? new TransactionRecorder(this.#dialect)
    const recorded = await recorder.record(work).finally(() => this.#recorders.push(recorder))
    if (recorded !== null && (await this.#appends.addRecorded(ctx, recorded))) return recorded.value
    return await this.#whole.run(ctx, work)
  }
}
