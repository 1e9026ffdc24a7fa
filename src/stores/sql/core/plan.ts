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

/**
 * A condition with which a reader in the order of an index may have to look far: any
 * but that rows are not deleted, and that they come after those of the page before.
 */
const OTHER_CONDITION = / where (?!(?:[\w."`]+ is null|[\w."`]+ [<>] (?:\?|\$\d+)) (?:order by|limit) )/i

/**
 * Whether a statement asks for the first rows of a table, whatever is in them: in the
 * order of an index its reader then stops early.
 */
export function takesFirstRows({ sql }: Pick<Statement, 'sql'>): boolean {
  return / limit /i.test(sql) && !OTHER_CONDITION.test(sql)
}
