import type { Diagnostic } from '../../../contract/backend.ts'
import type { Execute } from '../../core/dialect.ts'
import { clockDiagnostic, diagnostic, diagnosticRow } from '../../diagnostics.ts'

/** A transaction takes about ten sequential requests, and the server ends it after about 5 s. */
const SLOW_MS = 100
const CLOCK = "select cast(round((julianday('now') - 2440587.5) * 86400000) as integer) as ms"

export async function remoteDiagnostics(execute: Execute): Promise<readonly Diagnostic[]> {
  const version = (await diagnosticRow(execute, 'select sqlite_version() as version')).get('version') ?? ''
  const begun = performance.now()
  const foreignKeys = (await diagnosticRow(execute, 'pragma foreign_keys')).get('foreign_keys') === '1'
  const tookMs = performance.now() - begun
  return [
    diagnostic('version', `libSQL on a server, of SQLite ${version}`),
    diagnostic('foreign_keys', foreignKeys ? 'on' : 'off', foreignKeys ? null : 'references are not checked'),
    diagnostic(
      'round_trip',
      `${Math.round(tookMs)} ms`,
      tookMs > SLOW_MS
        ? 'a transaction blocks all other writers, and the server ends it after 5 s: run QScope near the primary'
        : null,
    ),
    await clockDiagnostic(execute, CLOCK),
  ]
}
