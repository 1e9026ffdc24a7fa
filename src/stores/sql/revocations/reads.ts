import { type Kysely, type RawBuilder, type Selectable, sql } from 'kysely'
import { type KeyId, keyId, type Milliseconds } from '../../../domain/ids.ts'
import type { Revocation, RevocationHeads, RevocationRange } from '../../../domain/revocation.ts'
import type { StoreContext } from '../../contract/context.ts'
import type { RevocationReads } from '../../contract/revocations.ts'
import { DatabaseError } from '../core/database-error.ts'
import { padded } from '../core/prepared-statement.ts'
import { bytes, integer, moment } from '../core/rows.ts'
import type { Database, RevocationTable, StoredInt } from '../core/schema.ts'

/** With more ranges, a statement would have too many variants, and its plans would scan the table. */
const RANGES_AT_ONCE = 16

/** The migration that created the tables. */
const MIGRATION = '0011_revocations'

export class SqlRevocationReads implements RevocationReads {
  readonly #db: Kysely<Database>
  readonly #now: RawBuilder<StoredInt>

  /** `now`: the database's clock in its dialect. */
  constructor(db: Kysely<Database>, now: RawBuilder<StoredInt>) {
    this.#db = db
    this.#now = now
  }

  async heads(_ctx: StoreContext): Promise<RevocationHeads> {
    // The row of the migration exists even before the first revocation.
    const rows = await this.#db
      .selectFrom('qscope_migrations')
      .leftJoin('oauth_revocation_heads', (join) => join.onTrue())
      .select([
        'qscope_migrations.applied_at',
        'oauth_revocation_heads.writer',
        'oauth_revocation_heads.sequence',
        'oauth_revocation_heads.created_at',
        this.#now.as('now'),
      ])
      .where('qscope_migrations.name', '=', MIGRATION)
      .orderBy('oauth_revocation_heads.writer')
      .execute()
    const [first] = rows
    if (first === undefined) throw new DatabaseError('broken', `the schema has no note of ${MIGRATION}`)
    const heads = rows.flatMap(({ writer, sequence, created_at }) =>
      writer === null
        ? []
        : [
            {
              writer: integer(writer, 'writer'),
              sequence: integer(sequence, 'sequence'),
              createdAt: moment(created_at, 'created_at'),
            },
          ],
    )
    return { madeAt: moment(first.applied_at, 'applied_at'), now: moment(first.now, 'now'), heads }
  }

  async page(_ctx: StoreContext, ranges: readonly RevocationRange[], limit: number): Promise<readonly Revocation[]> {
    const ascending = ranges.toSorted((a, b) => a.writer - b.writer)
    const found: Revocation[] = []
    for (let from = 0; from < ascending.length && found.length < limit; from += RANGES_AT_ONCE) {
      found.push(...(await this.#within(ascending.slice(from, from + RANGES_AT_ONCE), limit - found.length)))
    }
    return found
  }

  async keyIds(_ctx: StoreContext, within: Milliseconds): Promise<readonly KeyId[]> {
    const rows = await this.#db
      .selectFrom('oauth_revocation_keys')
      .select('key_id')
      .where('used_at', '>', sql<number>`${this.#now} - ${within}`)
      .orderBy('key_id')
      .execute()
    return rows.map((row) => keyId(row.key_id))
  }

  async #within(ranges: readonly RevocationRange[], limit: number): Promise<readonly Revocation[]> {
    const rows = await this.#db
      .selectFrom('oauth_revocations')
      .select(['writer', 'sequence', 'key', 'forget_time'])
      .where((row) =>
        row.or(
          padded(ranges).map(({ writer, after, upTo }) =>
            row.and([row('writer', '=', writer), row('sequence', '>', after), row('sequence', '<=', upTo)]),
          ),
        ),
      )
      .orderBy('writer')
      .orderBy('sequence')
      .limit(sql.lit(limit))
      .execute()
    return rows.map(revocationOf)
  }
}

function revocationOf(row: Selectable<RevocationTable>): Revocation {
  return Object.freeze({
    writer: integer(row.writer, 'writer'),
    sequence: integer(row.sequence, 'sequence'),
    key: bytes(row.key, 'key'),
    forgetTime: moment(row.forget_time, 'forget_time'),
  })
}
