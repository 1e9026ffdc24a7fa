import { DatabaseError } from '../../core/database-error.ts'

/** What a schema change that was made before is refused with. */
const ERRORS: ReadonlySet<unknown> = new Set([
  1050, // table exists
  1051, // no such table, to drop
  1146, // no such table, to rename
  1054, // no such column, to rename
  1060, // duplicate column
  1061, // duplicate key name
  1091, // cannot drop what is not there
  1359, // trigger exists
  1360, // trigger does not exist
  1826, // duplicate foreign key
])

export function isAlreadyDone(error: unknown): boolean {
  if (!(error instanceof DatabaseError) || !(error.cause instanceof Error)) return false
  return 'errno' in error.cause && ERRORS.has(error.cause.errno)
}
