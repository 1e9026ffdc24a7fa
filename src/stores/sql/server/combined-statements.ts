import type { MultiRowStatements, RecordedStatement, RowWrite } from '../core/dialect.ts'

type RecordedTransaction = readonly RecordedStatement[]
type RowTransaction = readonly (RecordedStatement & { readonly rowWrite: RowWrite })[]

/**
 * Combines statements of several transactions that differ only in the rows they write. One statement for many rows costs a
 * server less than one for each, which must each be parsed, planned and answered. Only transactions that write different rows
 * are combined, so the order of their statements does not matter. Together they write the required number of rows if and only
 * if each of them does.
 */
export class CombinedStatements {
  /** By the text for one row. Each is compiled once. */
  readonly #statements = new Map<string, MultiRowStatements>()

  /** The statements of the transactions, combined where possible. */
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
        const rows = transaction.map(({ rowWrite: { values, statements } }) => statements.nameOf(values))
        if (disjoint.writesAnyOf(rows)) flush()
        disjoint.add(transaction, rows)
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

/** Transactions that write different rows. */
class DisjointTransactions {
  readonly #rows = new Set<string>()
  readonly #transactions: RowTransaction[] = []

  writesAnyOf(rows: readonly string[]): boolean {
    return rows.some((row) => this.#rows.has(row))
  }

  /** `rows`: the names of those that it writes. */
  add(transaction: RowTransaction, rows: readonly string[]): void {
    for (const row of rows) this.#rows.add(row)
    this.#transactions.push(transaction)
  }

  /** In groups that differ only in their rows. */
  alike(): Iterable<readonly RowTransaction[]> {
    return Map.groupBy(this.#transactions, (one) => one.map(({ sql }) => sql).join(';')).values()
  }
}

function writesRows(transaction: RecordedTransaction): transaction is RowTransaction {
  return transaction.every(({ rowWrite }) => rowWrite !== undefined)
}
