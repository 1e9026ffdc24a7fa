import type { Kysely } from 'kysely'
import type { AssertionIdStore, AssertionUse } from '../../contract/assertion-ids.ts'
import type { StoreContext } from '../../contract/context.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { KeyedQuery } from '../core/prepared-statement.ts'
import { bytes } from '../core/rows.ts'
import type { Database } from '../core/schema.ts'

interface UseRow {
  readonly assertion_hash: Uint8Array
  readonly use_id: string
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
        .select(['assertion_hash', 'use_id'])
        .where('assertion_hash', 'in', hashes)
        .compile(),
    )
  }

  async find(_ctx: StoreContext, hashes: readonly Buffer[]): Promise<readonly Pick<AssertionUse, 'hash' | 'useId'>[]> {
    if (hashes.length === 0) return []
    const { rows } = await this.#db.executeQuery(this.#byHash.for(hashes))
    return rows.map((row) => ({ hash: bytes(row.assertion_hash, 'assertion_hash'), useId: row.use_id }))
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
