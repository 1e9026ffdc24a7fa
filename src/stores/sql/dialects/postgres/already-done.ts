import { DatabaseError } from '../../core/database-error.ts'

/** What a schema change that was made before is refused with. */
const CODES: ReadonlySet<unknown> = new Set([
  '42P07', // table or index exists
  '42701', // column exists
  '42710', // constraint or trigger exists
  '42723', // function exists
  '42P01', // no such table, to drop or rename
  '42703', // no such column, to drop or rename
  '42704', // no such index
])

export function isAlreadyDone(error: unknown): boolean {
  if (!(error instanceof DatabaseError) || !(error.cause instanceof Error)) return false
  return 'code' in error.cause && CODES.has(error.cause.code)
}
