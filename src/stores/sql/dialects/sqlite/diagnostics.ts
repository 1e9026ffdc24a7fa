import { existsSync, statfsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Diagnostic } from '../../../contract/backend.ts'
import type { Execute } from '../../core/dialect.ts'
import { diagnostic, diagnosticRow } from '../../diagnostics.ts'

const SYNCHRONOUS = Object.freeze(['OFF', 'NORMAL', 'FULL', 'EXTRA'])

/** `product`: the library that opens the file, such as `SQLite`. */
export async function embeddedDiagnostics(execute: Execute, product: string): Promise<readonly Diagnostic[]> {
  const ask = async (question: string, column: string) => (await diagnosticRow(execute, question)).get(column) ?? ''
  const version = await ask('select sqlite_version() as version', 'version')
  const file = await ask("select file from pragma_database_list where name = 'main'", 'file')
  const journal = await ask('pragma journal_mode', 'journal_mode')
  const level = SYNCHRONOUS[Number(await ask('pragma synchronous', 'synchronous'))] ?? 'unknown'
  const foreignKeys = (await ask('pragma foreign_keys', 'foreign_keys')) === '1'
  return [
    diagnostic('version', `${product} ${version}`),
    diagnostic('file', file),
    diagnostic(
      'journal_mode',
      journal,
      journal === 'wal'
        ? null
        : 'readers and the writer wait for each other: check whether the file system supports WAL',
    ),
    diagnostic(
      'synchronous',
      level,
      level === 'FULL' || level === 'EXTRA' ? null : 'a power failure can lose answered calls: it should be FULL',
    ),
    diagnostic('foreign_keys', foreignKeys ? 'on' : 'off', foreignKeys ? null : 'references are not checked'),
    ...(existsSync(file)
      ? [
          modeDiagnostic(file),
          spaceDiagnostic(file, Number(await ask('pragma journal_size_limit', 'journal_size_limit'))),
        ]
      : []),
  ]
}

const OTHERS_BITS = 0o077
const MODE_BITS = 0o777

function modeDiagnostic(file: string): Diagnostic {
  const mode = statSync(file).mode & MODE_BITS
  const shown = `0${mode.toString(8).padStart(3, '0')}`
  const open = (mode & OTHERS_BITS) !== 0
  return diagnostic('file_mode', shown, open ? `other users of this machine can open it: chmod 600 ${file}*` : null)
}

/** The log grows next to the file and is checkpointed into it, so the volume must have space for both. */
function spaceDiagnostic(file: string, walLimit: number): Diagnostic {
  const { bavail, bsize } = statfsSync(dirname(file))
  const free = bavail * bsize
  const needed = 2 * walLimit
  return diagnostic(
    'free_space',
    `${mebibytes(free)} MiB`,
    free < needed
      ? `the write-ahead log may take ${mebibytes(walLimit)} MiB, and as much again during a checkpoint: free some space, or lower QSCOPE_SQLITE_WAL_LIMIT`
      : null,
  )
}

function mebibytes(bytes: number): number {
  return Math.round((10 * bytes) / 1_048_576) / 10
}
