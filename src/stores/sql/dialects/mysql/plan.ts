import type { StatementPlan } from '../../../contract/statement-plans.ts'
import type { Execute, Statement } from '../../core/dialect.ts'
import { scannedTables, takesFirstRows } from '../../core/plan.ts'
import { type DiagnosticRow, diagnosticRows } from '../../diagnostics.ts'

/** The columns of EXPLAIN that show how a table is read, in lower case. */
const SHOWN = ['select_type', 'table', 'type', 'key', 'ref', 'rows', 'extra']
/** `index` scans a whole index. */
const WHOLE: ReadonlySet<string> = new Set(['all', 'index'])
const SORT = 'using filesort'

/**
 * EXPLAIN in table format. The tree format does not cover updates and deletes, and MariaDB does not have it. MySQL's default
 * format can differ. The output contains no values.
 */
export async function mysqlPlan(execute: Execute, statement: Statement): Promise<StatementPlan> {
  const { sql, parameters } = statement
  const [server] = await diagnosticRows(execute, 'select version() as version')
  const explain = server?.get('version')?.includes('MariaDB') ? 'explain' : 'explain format=traditional'
  const rows = (await diagnosticRows(execute, `${explain} ${sql}`, parameters)).map(inLowerCase)
  // A sort reads all rows of its part of the statement.
  const sorted = new Set(
    rows.filter((row) => row.get('extra')?.toLowerCase().includes(SORT)).map((row) => row.get('id')),
  )
  const accesses = rows
    .filter((row) => row.get('select_type') !== 'INSERT')
    .map((row) => ({
      name: row.get('table') ?? '',
      isWhole:
        WHOLE.has(row.get('type')?.toLowerCase() ?? '') && (sorted.has(row.get('id')) || !takesFirstRows(statement)),
    }))
  return { lines: rows.map(lineOf), scans: scannedTables(statement, accesses) }
}

function inLowerCase(row: DiagnosticRow): DiagnosticRow {
  return new Map([...row].map(([name, value]) => [name.toLowerCase(), value]))
}

function lineOf(row: DiagnosticRow): string {
  return SHOWN.flatMap((name) => {
    const value = row.get(name)
    return value === undefined || value === '' ? [] : [`${name}: ${value}`]
  }).join(', ')
}
