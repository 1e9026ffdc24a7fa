import type { Statement } from './dialect.ts'

/** One place where a plan reads a table. */
export interface TableAccess {
  /** As the plan names it: the table, or its alias in the statement. */
  readonly name: string
  /** Whether every row, or every entry of an index, is looked at. */
  readonly isWhole: boolean
}

/** The tables that are looked through, by their own names; what a plan makes for itself, such as a derived table, is none. */
export function scannedTables({ sql }: Pick<Statement, 'sql'>, accesses: readonly TableAccess[]): readonly string[] {
  const tables = tablesByName(sql)
  const scanned = accesses.filter(({ isWhole }) => isWhole).flatMap(({ name }) => tables.get(name.toLowerCase()) ?? [])
  return [...new Set(scanned)].toSorted()
}

/** What the names in a plan stand for. */
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

/** Whether a statement asks for the first rows of a table in the order of an index: it then stops early. */
export function takesFirstRows({ sql }: Pick<Statement, 'sql'>): boolean {
  return / limit /i.test(sql) && !/ where /i.test(sql)
}
