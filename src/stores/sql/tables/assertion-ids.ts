import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { EpochMs } from '../../../domain/ids.ts'
import type { AssertionIdStore, AssertionUse, KnownUses } from '../../contract/assertion-ids.ts'
import type { Ending } from '../../contract/backend.ts'
import type { StoreContext } from '../../contract/context.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { KeyedQuery, padded } from '../core/prepared-statement.ts'
import { bytes, moment } from '../core/rows.ts'
import type { Database, StoredInt } from '../core/schema.ts'

/**
 * The key of the row whose `expires_at` is the latest end of the deleted uses. It stands among the uses, so that one
 * statement reads both as of one moment. No assertion has this hash.
 */
export const DELETED_UNTIL = Buffer.alloc(32)

interface UseRow {
  readonly assertion_hash: Uint8Array
  readonly use_id: string
  readonly expires_at: StoredInt
}

/** The primary key decides which use of an assertion is the first. */
export class SqlAssertionIdStore implements AssertionIdStore {
  readonly #db: Kysely<Database>
  readonly #byHash: KeyedQuery<Buffer, UseRow>

  constructor(db: Kysely<Database>) {
    this.#db = db
    this.#byHash = new KeyedQuery((hashes) =>
      db
        .selectFrom('oauth_assertion_ids')
        .select(['assertion_hash', 'use_id', 'expires_at'])
        .where('assertion_hash', 'in', hashes)
        .compile(),
    )
  }

  async find(_ctx: StoreContext, hashes: readonly Buffer[]): Promise<KnownUses> {
    const { rows } = await this.#db.executeQuery(this.#byHash.for([DELETED_UNTIL, ...hashes]))
    const stored: KnownUses['stored'][number][] = []
    let deletedUntil: EpochMs | null = null
    for (const row of rows) {
      const hash = bytes(row.assertion_hash, 'assertion_hash')
      if (hash.equals(DELETED_UNTIL)) deletedUntil = moment(row.expires_at, 'expires_at')
      else stored.push({ hash, useId: row.use_id })
    }
    return { stored, deletedUntil }
  }

  async insert(uses: readonly AssertionUse[]): Promise<boolean> {
    if (uses.length === 0) return true
    const rows = uses.map((use) => ({
      assertion_hash: use.hash,
      use_id: use.useId,
      expires_at: use.expiresAt,
      created_at: use.usedAt,
      created_by: use.by,
    }))
    return await falseIfTaken(async () => {
      await this.#db.insertInto('oauth_assertion_ids').values(rows).execute()
    })
  }
}

/**
 * Deletes the uses with these hashes that end at `until` or before, and stores that moment. An id may have been deleted and
 * used again since the search, by an assertion that ends later. `now`: the database's clock in its dialect.
 */
export async function deleteUses(
  db: Kysely<Database>,
  hashes: readonly Buffer[],
  until: EpochMs,
  now: RawBuilder<StoredInt>,
): Promise<Ending<number>> {
  // After `false`, the next round deletes the rows.
  if (!(await raiseDeletedUntil(db, until, now))) return { commit: false, value: 0 }
  const deleted = await db
    .deleteFrom('oauth_assertion_ids')
    .where('assertion_hash', 'in', padded(hashes))
    .where('expires_at', '<=', until)
    .executeTakeFirst()
  return { commit: true, value: Number(deleted.numDeletedRows) }
}

/** `false`: another transaction stored the row in the meantime. Roll back. */
async function raiseDeletedUntil(db: Kysely<Database>, until: EpochMs, now: RawBuilder<StoredInt>): Promise<boolean> {
  const raised = await db
    .updateTable('oauth_assertion_ids')
    .set({ expires_at: sql<number>`case when expires_at < ${until} then ${until} else expires_at end` })
    .where('assertion_hash', '=', DELETED_UNTIL)
    .executeTakeFirst()
  if (raised.numUpdatedRows > 0n) return true
  const row = {
    assertion_hash: DELETED_UNTIL,
    use_id: 'deleted-until',
    expires_at: until,
    created_at: sql<number>`${now}`,
    created_by: 'purge',
  }
  return await falseIfTaken(async () => {
    await db.insertInto('oauth_assertion_ids').values(row).execute()
  })
}
