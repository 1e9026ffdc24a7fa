import { type Insertable, type Kysely, type RawBuilder, sql } from 'kysely'
import { type EndedFact, forgetTimeOf } from '../../../domain/revocation.ts'
import type { RevocationTelling } from '../../contract/revocations.ts'
import { InsertStatements } from '../core/prepared-statement.ts'
import { integer, moment } from '../core/rows.ts'
import type { Database, RevocationTable, StoredInt } from '../core/schema.ts'

/**
 * The revocations of one writer. It is known by the ordinal of its chain in the audit
 * log, whose registry gives each to one writer only. Its head is changed first, so
 * that the row is held until the transaction ends: whatever else went wrong, two
 * commits of one writer never come in another order than their numbers.
 */
export class RevocationLog {
  readonly #db: Kysely<Database>
  readonly #now: RawBuilder<StoredInt>
  readonly #telling: RevocationTelling
  readonly #inserts: InsertStatements<Insertable<RevocationTable>>
  #writer = 0
  /** No number up to this is used again, even where the head was purged meanwhile. */
  #highest = 0

  /** `now`: the database's clock in its dialect. */
  constructor(db: Kysely<Database>, now: RawBuilder<StoredInt>, telling: RevocationTelling) {
    this.#db = db
    this.#now = now
    this.#telling = telling
    this.#inserts = new InsertStatements((rows) => db.insertInto('oauth_revocations').values(rows).compile())
  }

  /** Writes down what ended, in the open transaction of the writer that has this ordinal. */
  async tell(writer: number, facts: readonly EndedFact[]): Promise<void> {
    const told = facts.flatMap((ended) => this.#telling.keysOf(ended.fact).map((key) => ({ ended, key })))
    if (told.length === 0) return
    if (writer !== this.#writer) {
      this.#writer = writer
      this.#highest = 0
    }
    const { last, now } = await this.#advance(told.length)
    this.#highest = last
    const first = last - told.length + 1
    const rows = told.map(({ ended, key }, index) => ({
      writer,
      sequence: first + index,
      key,
      forget_time: forgetTimeOf(ended, now),
    }))
    for (const statement of this.#inserts.of(rows)) await this.#db.executeQuery(statement)
  }

  /** Moves the head on; the writer's first revocation enters it. */
  async #advance(count: number) {
    const writer = this.#writer
    const moved = await this.#db
      .updateTable('oauth_revocation_heads')
      .set({ sequence: sql<number>`sequence + ${count}`, updated_at: sql<number>`${this.#now}` })
      .where('writer', '=', writer)
      .executeTakeFirst()
    if (moved.numUpdatedRows === 0n) {
      const now = sql<number>`${this.#now}`
      await this.#db
        .insertInto('oauth_revocation_heads')
        .values({ writer, sequence: this.#highest + count, created_at: now, updated_at: now })
        .execute()
    }
    const head = await this.#db
      .selectFrom('oauth_revocation_heads')
      .select(['sequence', 'updated_at'])
      .where('writer', '=', writer)
      .executeTakeFirstOrThrow()
    return { last: integer(head.sequence, 'sequence'), now: moment(head.updated_at, 'updated_at') }
  }
}
