import type { Kysely } from 'kysely'
import type { AssertionIdStore } from '../../contract/assertion-ids.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { bytes } from '../core/rows.ts'
import { padded } from '../core/sized-statements.ts'
import type { Database } from '../schema.ts'

/** The primary key decides who is first to show an assertion. */
export function assertionIds(db: Kysely<Database>): AssertionIdStore {
  return {
    find: async (_ctx, hashes) => {
      if (hashes.length === 0) return []
      const rows = await db
        .selectFrom('oauth_assertion_ids')
        .select(['assertion_hash', 'use_id'])
        .where('assertion_hash', 'in', padded(hashes))
        .execute()
      return rows.map((row) => ({ hash: bytes(row.assertion_hash, 'assertion_hash'), useId: row.use_id }))
    },
    insert: async (uses) => {
      if (uses.length === 0) return true
      const rows = uses.map((use) => ({
        assertion_hash: use.hash,
        use_id: use.useId,
        expires_at: use.expiresAt,
        created_at: use.usedAt,
        created_by: use.by,
      }))
      return await falseIfTaken(async () => {
        await db.insertInto('oauth_assertion_ids').values(rows).execute()
      })
    },
  }
}
