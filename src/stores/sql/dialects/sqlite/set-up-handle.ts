import type { SqliteHandle } from './handle.ts'

/** What each connection has to be told for itself. All are told the same, so what one tells of itself holds for all. */
export function setUpHandle(handle: SqliteHandle): void {
  handle.pragma('synchronous = FULL')
  handle.pragma('foreign_keys = ON')
}
