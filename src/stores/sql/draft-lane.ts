import type { Ending, StoreContext, TransactionStores } from '../contract.ts'
import type { Dialect } from './dialect.ts'
import { DraftBook } from './draft-book.ts'
import type { GroupCommit } from './group-commit.ts'
import type { TransactionLane } from './transaction-lane.ts'

/**
 * Lets transactions of different calls share a commit, where a transaction of
 * its own for each costs more. The work is run on paper first, supposing that
 * every write finds its row, as it does unless a race is lost; what it wrote
 * down is then run among others, and stands only if all was as supposed. In
 * every other case the work is run again, in a transaction of its own.
 */
export class DraftLane {
  readonly #appends: GroupCommit
  readonly #whole: TransactionLane
  readonly #dialect: Pick<Dialect, 'kysely'>
  readonly #books: DraftBook[] = []

  constructor(appends: GroupCommit, whole: TransactionLane, dialect: Pick<Dialect, 'kysely'>) {
    this.#appends = appends
    this.#whole = whole
    this.#dialect = dialect
  }

  async run<T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<T> {
    const book = this.#books.pop() ?? new DraftBook(this.#dialect)
    const draft = await book.write(work).finally(() => this.#books.push(book))
    if (draft !== null && (await this.#appends.addDraft(ctx, draft))) return draft.value
    return await this.#whole.run(ctx, work)
  }
}
