import type { MultiRowStatements, RecordedStatement, RowWrite } from '../core/dialect.ts'

type RecordedTransaction = readonly RecordedStatement[]
type RowTransaction = readonly (RecordedStatement & { readonly rowWrite: RowWrite })[]

/**
 * Puts the statements of transactions together that differ in nothing but the rows they write: one statement for
 * many rows costs a server less than one for each, of which each is parsed, planned and answered by itself.
 *
 * Only transactions that write different rows are put together, so that any order of their statements has the same
 * effect. Together they write as many rows as they must if and only if each of them does.
 */
export class CombinedStatements {
  /** By the text for one row: each is compiled once, whoever recorded it. */
  readonly #statements = new Map<string, MultiRowStatements>()

  /** The statements of the transactions, in fewer where that is possible. */
  of(transactions: readonly RecordedTransaction[]): readonly RecordedStatement[] {
    const all: RecordedStatement[] = []
    let disjoint = new DisjointTransactions()
    const flush = () => {
      for (const alike of disjoint.alike()) all.push(...this.#combined(alike))
      disjoint = new DisjointTransactions()
    }
    for (const transaction of transactions) {
      if (!writesRows(transaction)) {
        flush()
        all.push(...transaction)
      } else {
        if (disjoint.meets(transaction)) flush()
        disjoint.add(transaction)
      }
    }
    flush()
    return all
  }

  #combined(alike: readonly RowTransaction[]): readonly RecordedStatement[] {
    const [first = []] = alike
    if (alike.length === 1) return first
    return first.flatMap(({ sql, rowWrite }, at) => {
      const statements = this.#statements.get(sql) ?? rowWrite.statements
      this.#statements.set(sql, statements)
      return statements.together(alike.flatMap((one) => one[at]?.rowWrite.values ?? []))
    })
  }
}

/** Transactions no two of which write the same row. */
class DisjointTransactions {
  readonly #rows = new Set<string>()
  readonly #transactions: RowTransaction[] = []

  meets(transaction: RowTransaction): boolean {
    return transaction.some(({ rowWrite: { row } }) => this.#rows.has(row))
  }

  add(transaction: RowTransaction): void {
    for (const { rowWrite } of transaction) this.#rows.add(rowWrite.row)
    this.#transactions.push(transaction)
  }

  /** In groups that differ in nothing but their rows. */
  alike(): Iterable<readonly RowTransaction[]> {
    return Map.groupBy(this.#transactions, (one) => one.map(({ sql }) => sql).join(';')).values()
  }
}

function writesRows(transaction: RecordedTransaction): transaction is RowTransaction {
  return transaction.every(({ rowWrite }) => rowWrite !== undefined)
}
