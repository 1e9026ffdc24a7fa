import type { Kysely } from 'kysely'
import type { EpochMs } from '../../../domain/ids.ts'
import { falseIfTaken } from '../core/database-error.ts'
import type { Database } from '../core/schema.ts'

/**
 * Takes a lease that is free, has run out or is held already; `false`: roll back.
 * One that ends later than any honest holder's would was taken by a clock that
 * was ahead: its holder may have died since, and is not waited for.
 */
export async function acquireLease(
  db: Kysely<Database>,
  name: string,
  holder: string,
  now: EpochMs,
  until: EpochMs,
): Promise<boolean> {
  const length = until - now
  const honestUntil = length > 0 ? until + length : Number.MAX_SAFE_INTEGER
  const taken = { holder, expires_at: until, updated_at: now, updated_by: holder }
  // Whoever waited for the row finds it renewed, and matches nothing.
  const renewed = await db
    .updateTable('oauth_leases')
    .set(taken)
    .where('name', '=', name)
    .where((or) => or.or([or('holder', '=', holder), or('expires_at', '<=', now), or('expires_at', '>', honestUntil)]))
    .executeTakeFirst()
  if (renewed.numUpdatedRows === 1n) return true
  const held = await db.selectFrom('oauth_leases').select('holder').where('name', '=', name).executeTakeFirst()
  if (held !== undefined) return false
  return await falseIfTaken(async () => {
    await db
      .insertInto('oauth_leases')
      .values({ name, ...taken, created_at: now, created_by: holder })
      .execute()
  })
}
