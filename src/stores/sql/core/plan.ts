import type { Statement } from './dialect.ts'

/** One access to a table in a plan. */
export interface TableAccess {
  /** The name in the plan: the table, or its alias in the statement. */
  readonly name: string
  /** Whether all rows, or all entries of an index, are read. */
  readonly isWhole: boolean
}

/** The names of the tables that a plan scans. Derived tables are not included. */
export function scannedTables({ sql }: Pick<Statement, 'sql'>, accesses: readonly TableAccess[]): readonly string[] {
  const tables = tablesByName(sql)
  const scanned = accesses.filter(({ isWhole }) => isWhole).flatMap(({ name }) => tables.get(name.toLowerCase()) ?? [])
  return [...new Set(scanned)].toSorted()
}

/** The tables behind the names in a plan. */
function tablesByName(sql: string): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const [, table = '', alias] of sql
    .toLowerCase()
    .matchAll(/["`]?\b((?:oauth|qscope)_\w+)["`]?(?: as ["`]?(\w+))?/g)) {
    names.set(table, table)
    if (alias !== undefined) names.set(alias, table)
  }
  return names
}

/**
 * A condition for which an index scan in order may read many rows. All conditions except that a row is not deleted, and that
 * it follows the previous page.
 */
const OTHER_CONDITION = / where (?!(?:[\w."`]+ is null|[\w."`]+ [<>] (?:\?|\$\d+)) (?:order by|limit) )/i

/** Whether a statement selects the first rows of a table by order only. An index scan in that order stops early. */
export function takesFirstRows({ sql }: Pick<Statement, 'sql'>): boolean {
  return / limit /i.test(sql) && !OTHER_CONDITION.test(sql)
}
