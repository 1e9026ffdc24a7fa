import { type Insertable, type Kysely, type RawBuilder, sql } from 'kysely'
import { type EndedFact, forgetTimeOf } from '../../../domain/revocation.ts'
import type { RevocationTelling } from '../../contract/revocations.ts'
import { InsertStatements } from '../core/prepared-statement.ts'
import { integer, moment } from '../core/rows.ts'
import type { Database, RevocationTable, StoredInt } from '../core/schema.ts'

/**
 * The revocations of one writer. The writer is identified by the ordinal of its audit chain, which the registry never reuses.
 * The head is updated first, so its row is locked until the transaction ends. Two commits of one writer are therefore always
 * in the order of their numbers. A number whose commit was sent is never used again, even if the database loses that commit:
 * a reader that has passed the number would miss the revocation.
 */
export class RevocationLog {
  readonly #db: Kysely<Database>
  readonly #now: RawBuilder<StoredInt>
  readonly #telling: RevocationTelling
  readonly #inserts: InsertStatements<Insertable<RevocationTable>>
  #writer = 0
  /** The last number that was told. */
  #told = 0
  /** Numbers up to this one are never reused: their commit was sent. The head may be lower, or purged. */
  #sent = 0

  /** `now`: the database's clock in its dialect. */
  constructor(db: Kysely<Database>, now: RawBuilder<StoredInt>, telling: RevocationTelling) {
    this.#db = db
    this.#now = now
    this.#telling = telling
    this.#inserts = new InsertStatements((rows) => db.insertInto('oauth_revocations').values(rows).compile())
  }

  /** Writes the facts that ended, in the open transaction of this writer. */
  async tell(writer: number, facts: readonly EndedFact[]): Promise<void> {
    const told = facts.flatMap((ended) => this.#telling.keysOf(ended.fact).map((key) => ({ ended, key })))
    if (told.length === 0) return
    if (writer !== this.#writer) {
      this.#writer = writer
      this.#sent = 0
    }
    const { last, now } = await this.#advance(told.length)
    this.#told = last
    const first = last - told.length + 1
    const rows = told.map(({ ended, key }, index) => ({
      writer,
      sequence: first + index,
      key,
      forget_time: forgetTimeOf(ended, now),
    }))
    for (const statement of this.#inserts.of(rows)) await this.#db.executeQuery(statement)
  }

  /** Call this before the commit of what was told is sent. Its outcome may remain unknown. */
  committing(): void {
    this.#sent = this.#told
  }

  /** Advances the head. The writer's first revocation creates it. */
  async #advance(count: number) {
    const writer = this.#writer
    const sent = this.#sent
    const moved = await this.#db
      .updateTable('oauth_revocation_heads')
      .set({
        sequence: sql<number>`case when sequence < ${sent} then ${sent} else sequence end + ${count}`,
        updated_at: sql<number>`${this.#now}`,
      })
      .where('writer', '=', writer)
      .executeTakeFirst()
    if (moved.numUpdatedRows === 0n) {
      const now = sql<number>`${this.#now}`
      await this.#db
        .insertInto('oauth_revocation_heads')
        .values({ writer, sequence: sent + count, created_at: now, updated_at: now })
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
