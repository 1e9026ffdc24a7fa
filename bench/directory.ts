import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** The databases that are kept between runs. Not in git. */
const ROOT = join(import.meta.dirname, '..', '.bench')

/** `QSCOPE_BENCH_DIRECTORY` selects another directory, and therefore the measured disk. */
export function cacheRoot(): string {
  return process.env['QSCOPE_BENCH_DIRECTORY'] ?? ROOT
}

/** Creates a directory of the cache if it is missing. Only the owner can read it, because it may contain secrets. */
export function benchDirectory(root: string, name: string): string {
  // A database server may run as another user and must be able to enter its directory.
  mkdirSync(root, { recursive: true, mode: 0o755 })
  const path = join(root, name)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}
