import { existsSync } from 'node:fs'
import { join } from 'node:path'

const DIST = join(import.meta.dirname, '..', '..', 'dist', 'main.js')

/** The compiled server; `QSCOPE_BENCH_SERVER` names another build, to compare two. */
export function qscopeEntry(): string {
  const entry = process.env['QSCOPE_BENCH_SERVER'] ?? DIST
  if (!existsSync(entry)) throw new Error(`${entry} is not there: run npm run build`)
  return entry
}
