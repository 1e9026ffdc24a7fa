import { type Insertable, type Kysely, sql } from 'kysely'
import { NO_HASH } from '../../../domain/audit-record.ts'
import type { AuditSeal } from '../../contract/audit-log.ts'
import { DatabaseError, falseIfTaken } from '../core/database-error.ts'
import { bytes, integer } from '../core/rows.ts'
import type { AuditRosterTable, Database } from '../core/schema.ts'

/** Who writes the heads and the registry: the server itself. */
export const SERVER_ITSELF = 'qscope'
const REGISTRY = 'writers'

/**
 * Registers a writer, inside the transaction of its first events, and returns its
 * ordinal. Others who register wait for the row, not for each other's chains. This
 * repairs nothing that was tampered with: the total goes on from what is stored,
 * and shows the difference for ever.
 */
export async function registerWriter(
  db: Kysely<Database>,
  seal: AuditSeal,
  writerId: string,
  at: number,
): Promise<number> {
  const changed = { updated_at: at, updated_by: SERVER_ITSELF }
  // Counts first: the row is held from here on, so that what is read next is the latest.
  await db
    .updateTable('oauth_audit_roster')
    .set({ writers: sql<number>`writers + 1`, ...changed })
    .where('name', '=', REGISTRY)
    .execute()
  const row = await db
    .selectFrom('oauth_audit_roster')
    .select(['writers', 'total'])
    .where('name', '=', REGISTRY)
    .executeTakeFirst()
  const last = await db
    .selectFrom('oauth_audit_heads')
    .select((eb) => eb.fn.max('ordinal').as('ordinal'))
    .executeTakeFirst()
  const highest = last === undefined || last.ordinal === null ? 0 : integer(last.ordinal, 'ordinal')
  const ordinal = Math.max(row === undefined ? 1 : integer(row.writers, 'writers'), highest + 1)
  const before = row === undefined ? NO_HASH : bytes(row.total, 'total')
  const entry = { writers: ordinal, total: seal.registryTotal(before, { ordinal, writerId }), ...changed }
  if (row === undefined) {
    await insertFirst(db, { name: REGISTRY, ...entry, created_at: at, created_by: SERVER_ITSELF })
  } else {
    await db.updateTable('oauth_audit_roster').set(entry).where('name', '=', REGISTRY).execute()
  }
  return ordinal
}

/** Two writers may find no registry at once: one of them creates it, and the other begins again. */
async function insertFirst(db: Kysely<Database>, row: Insertable<AuditRosterTable>): Promise<void> {
  const inserted = await falseIfTaken(async () => {
    await db.insertInto('oauth_audit_roster').values(row).execute()
  })
  if (!inserted) throw new DatabaseError('conflict', 'another writer created the registry of the audit log first')
}
