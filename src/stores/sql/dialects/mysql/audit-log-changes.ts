import type { Execute } from '../../core/dialect.ts'

/** To explain a statement takes the privileges that it takes itself, and changes nothing. */
const CHANGES = Object.freeze({
  UPDATE: 'explain update oauth_audit_log set sequence = sequence where 1 = 0',
  DELETE: 'explain delete from oauth_audit_log where 1 = 0',
})

/** Access denied to a table, to a column of it; no such table. */
const REFUSALS: ReadonlySet<unknown> = new Set([1142, 1143, 1146])

/** Which changes of audit events this session's user has the privilege for. */
export async function auditLogChanges(execute: Execute): Promise<readonly string[]> {
  const allowed: string[] = []
  for (const [change, sql] of Object.entries(CHANGES)) {
    try {
      await execute({ sql, parameters: [] })
      allowed.push(change)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }
  return allowed
}

function isRefusal(error: unknown): boolean {
  const { cause } = error instanceof Error ? error : {}
  return cause instanceof Error && 'errno' in cause && REFUSALS.has(cause.errno)
}
