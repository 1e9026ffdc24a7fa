import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** Where databases are kept from run to run; never in git. */
const ROOT = join(import.meta.dirname, '..', '.bench')

/** `QSCOPE_BENCH_DIRECTORY` puts the cache elsewhere: the disk under it is the one that is measured. */
export function cacheRoot(): string {
  return process.env['QSCOPE_BENCH_DIRECTORY'] ?? ROOT
}

/** A directory of the cache, made if it is absent; for nobody else to read, as it may hold secrets. */
export function benchDirectory(root: string, name: string): string {
  // A database server may run as somebody else, and has to get through to its own.
  mkdirSync(root, { recursive: true, mode: 0o755 })
  const path = join(root, name)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}
