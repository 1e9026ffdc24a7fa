import type { StatementPlan } from '../../../contract/statement-plans.ts'
import type { Execute, Statement } from '../../core/dialect.ts'
import { scannedTables, takesFirstRows } from '../../core/plan.ts'
import { diagnosticRows } from '../../diagnostics.ts'

/** https://www.sqlite.org/eqp.html: SCAN reads all rows, SEARCH some of them. */
const SCAN = /^SCAN (\w+)/
const SORT = 'USE TEMP B-TREE FOR ORDER BY'

/** EXPLAIN QUERY PLAN. The output contains no values. */
export async function sqlitePlan(execute: Execute, statement: Statement): Promise<StatementPlan> {
  const { sql, parameters } = statement
  const rows = await diagnosticRows(execute, `explain query plan ${sql}`, parameters)
  const depths = new Map<string, number>()
  const lines = rows.map((row) => {
    const depth = (depths.get(row.get('parent') ?? '') ?? -1) + 1
    depths.set(row.get('id') ?? '', depth)
    return `${'  '.repeat(depth)}${row.get('detail') ?? ''}`
  })
  // A sort reads all rows of its part of the statement.
  const sorted = new Set(rows.filter((row) => row.get('detail') === SORT).map((row) => row.get('parent')))
  const accesses = rows.flatMap((row) => {
    const [, name] = SCAN.exec(row.get('detail') ?? '') ?? []
    return name === undefined ? [] : [{ name, isWhole: sorted.has(row.get('parent')) || !takesFirstRows(statement) }]
  })
  return { lines, scans: scannedTables(statement, accesses) }
}
