import type { Kysely } from 'kysely'
import type { Change } from '../../contract/context.ts'
import { falseIfTaken } from '../core/database-error.ts'
import type { Database } from '../core/schema.ts'

/**
 * Locks the row of a lease until the end of the transaction, so that other callers wait. The lease itself stays expired and
 * is never acquired. `false`: another transaction created the row in the meantime. Roll back.
 */
export async function holdLease(db: Kysely<Database>, name: string, { at, by }: Change): Promise<boolean> {
  const noted = { updated_at: at, updated_by: by }
  const result = await db.updateTable('oauth_leases').set(noted).where('name', '=', name).executeTakeFirst()
  if (result.numUpdatedRows === 1n) return true
  return await falseIfTaken(async () => {
    await db
      .insertInto('oauth_leases')
      .values({ name, holder: by, expires_at: at, created_at: at, created_by: by, ...noted })
      .execute()
  })
}
