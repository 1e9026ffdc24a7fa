import type { Diagnostic } from '../contract/backend.ts'
import type { Execute } from './core/dialect.ts'
import { diagnostic, diagnosticRow } from './diagnostic-row.ts'

const MOST_APART_MS = 1_000

/** How far the clock of a database server lies from this machine's. `question` gives it as `ms`, since 1970. */
export async function clockDiagnostic(execute: Execute, question: string): Promise<Diagnostic> {
  const before = Date.now()
  const there = Number((await diagnosticRow(execute, question)).get('ms'))
  const after = Date.now()
  // Read at some moment between the two, so only what lies outside them is certain.
  const ahead = there < before ? there - before : there > after ? there - after : 0
  if (!Number.isFinite(there)) return diagnostic('clock', 'unknown', 'the database told no time')
  const apart = `${Math.round(Math.abs(ahead))} ms ${ahead < 0 ? 'behind' : 'ahead of'} this machine's`
  const value = ahead === 0 ? "as this machine's" : apart
  return diagnostic('clock', value, Math.abs(ahead) > MOST_APART_MS ? 'run an NTP client on both machines' : null)
}
