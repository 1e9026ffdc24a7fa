import type { SqliteHandle } from './handle.ts'

/** Holds the upper pages of the indexes; those below are fetched from the system's cache, whatever the size. */
const CACHE_KIB = 4_096

/** What each connection has to be told for itself. All are told the same, so what one tells of itself holds for all. */
export function setUpHandle(handle: SqliteHandle, walLimit: number): void {
  handle.pragma('synchronous = FULL')
  handle.pragma('foreign_keys = ON')
  handle.pragma(`cache_size = -${CACHE_KIB}`)
  handle.pragma(`journal_size_limit = ${walLimit}`)
}
