import type { DatabaseFact } from '../contract.ts'
import type { Execute } from './dialect.ts'

/** Settings and states by name, as text; what is absent or NULL is not in it. */
export type FactRow = ReadonlyMap<string, string>

/** The columns of the one row that a question is answered with. */
export async function factRow(execute: Execute, question: string): Promise<FactRow> {
  const [row] = await factRows(execute, question)
  return row ?? new Map()
}

/** Rows of two columns, such as those of SHOW VARIABLES, as names in lower case and their values. */
export async function factPairs(execute: Execute, question: string): Promise<FactRow> {
  const rows = await factRows(execute, question)
  return new Map(
    rows.map((row) => {
      const [name = '', value = ''] = row.values()
      return [name.toLowerCase(), value] as const
    }),
  )
}

export async function factRows(execute: Execute, question: string): Promise<readonly FactRow[]> {
  const { rows } = await execute({ sql: question, parameters: [] })
  return rows.map((row) => {
    const columns = typeof row === 'object' && row !== null ? Object.entries(row) : []
    return new Map(columns.flatMap(([name, value]) => (value === null ? [] : [[name, String(value)] as const])))
  })
}

/** The fact by this name says which of UPDATE, DELETE and TRUNCATE the server's user may do to audit events. */
export const AUDIT_LOG_CHANGES = 'audit_log_changes'

export function auditLogFact(allowed: readonly string[]): DatabaseFact {
  return fact(AUDIT_LOG_CHANGES, allowed.join(', ') || NO_CHANGES)
}

export const NO_CHANGES = 'none'

export function fact(name: string, value: string, concern: string | null = null): DatabaseFact {
  return Object.freeze({ name, value, concern })
}

/** A setting that should have one of some values. One that the database does not know is no fact. */
export function settingFact(
  row: FactRow,
  name: string,
  wanted: readonly string[],
  concern: string,
): readonly DatabaseFact[] {
  const value = row.get(name)
  if (value === undefined) return []
  return [fact(name, value, wanted.includes(value.toLowerCase()) ? null : concern)]
}
