import { AUDIT_LOG_CHANGES, type Diagnostic, NONE } from '../contract/backend.ts'
import type { Execute } from './core/dialect.ts'

/** Settings and states by name, as text; what is absent or NULL is not in it. */
export type DiagnosticRow = ReadonlyMap<string, string>

/** The columns of the one row that a question is answered with. */
export async function diagnosticRow(execute: Execute, question: string): Promise<DiagnosticRow> {
  const [row] = await diagnosticRows(execute, question)
  return row ?? new Map()
}

/** Rows of two columns, such as those of SHOW VARIABLES, as names in lower case and their values. */
export async function diagnosticPairs(execute: Execute, question: string): Promise<DiagnosticRow> {
  const rows = await diagnosticRows(execute, question)
  return new Map(
    rows.map((row) => {
      const [name = '', value = ''] = row.values()
      return [name.toLowerCase(), value] as const
    }),
  )
}

export async function diagnosticRows(execute: Execute, question: string): Promise<readonly DiagnosticRow[]> {
  const { rows } = await execute({ sql: question, parameters: [] })
  return rows.map((row) => {
    const columns = typeof row === 'object' && row !== null ? Object.entries(row) : []
    return new Map(columns.flatMap(([name, value]) => (value === null ? [] : [[name, String(value)] as const])))
  })
}

/** Says which of UPDATE, DELETE and TRUNCATE the server's user may do to audit events. */
export function auditLogDiagnostic(allowed: readonly string[]): Diagnostic {
  return diagnostic(AUDIT_LOG_CHANGES, allowed.join(', ') || NONE)
}

export function diagnostic(name: string, value: string, warning: string | null = null): Diagnostic {
  return Object.freeze({ name, value, warning })
}

/** A setting that should have one of some values. One that the database does not know is no fact. */
export function settingDiagnostic(
  row: DiagnosticRow,
  name: string,
  wanted: readonly string[],
  warning: string,
): readonly Diagnostic[] {
  const value = row.get(name)
  if (value === undefined) return []
  return [diagnostic(name, value, wanted.includes(value.toLowerCase()) ? null : warning)]
}
