import { type Insertable, type Kysely, type RawBuilder, sql } from 'kysely'
import type { EpochMs } from '../../../domain/ids.ts'
import { type EndedFact, forgetTimeOf } from '../../../domain/revocation.ts'
import type { RevocationTelling } from '../../contract/revocations.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { InsertStatements } from '../core/prepared-statement.ts'
import { integer, moment } from '../core/rows.ts'
import type { Database, RevocationTable, StoredInt } from '../core/schema.ts'

/** The head of a writer after one of its transactions. */
interface Head {
  /** The last number that was told. */
  readonly sequence: number
  /** When the head was inserted, by the database's clock. */
  readonly createdAt: EpochMs
}

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
  #told: Head | null = null
  /** The last head whose commit was sent. The stored head may be lower, or purged. */
  #sent: Head | null = null

  /** `now`: the database's clock in its dialect. */
  constructor(db: Kysely<Database>, now: RawBuilder<StoredInt>, telling: RevocationTelling) {
    this.#db = db
    this.#now = now
    this.#telling = telling
    this.#inserts = new InsertStatements((rows) => db.insertInto('oauth_revocations').values(rows).compile())
  }

  /**
   * Writes the facts that ended, in the open transaction of this writer. `false`: another writer has the same ordinal, because
   * the database lost the registration of this one. Each would reuse numbers that only the other one knows to be sent.
   */
  async tell(writer: number, facts: readonly EndedFact[]): Promise<boolean> {
    const told = facts.flatMap((ended) => this.#telling.keysOf(ended.fact).map((key) => ({ ended, key })))
    if (told.length === 0) return true
    if (writer !== this.#writer) {
      this.#writer = writer
      this.#sent = null
    }
    if (!(await this.#move(told.length)) && !(await this.#insert(told.length))) return false
    const { now, ...head } = await this.#head()
    this.#told = head
    const first = head.sequence - told.length + 1
    const rows = told.map(({ ended, key }, index) => ({
      writer,
      sequence: first + index,
      key,
      forget_time: forgetTimeOf(ended, now),
    }))
    for (const statement of this.#inserts.of(rows)) await this.#db.executeQuery(statement)
    return true
  }

  /** Call this before the commit of what was told is sent. Its outcome may remain unknown. */
  committing(): void {
    this.#sent = this.#told
  }

  /** `false`: the writer has no head yet, or it was purged or lost. */
  async #move(count: number): Promise<boolean> {
    if (this.#sent === null) return false
    const { sequence, createdAt } = this.#sent
    const moved = await this.#db
      .updateTable('oauth_revocation_heads')
      .set({
        sequence: sql<number>`case when sequence < ${sequence} then ${sequence} else sequence end + ${count}`,
        updated_at: sql<number>`${this.#now}`,
      })
      .where('writer', '=', this.#writer)
      .where('created_at', '=', createdAt)
      .executeTakeFirst()
    return moved.numUpdatedRows === 1n
  }

  /** `false`: there is a head that this writer did not insert. */
  async #insert(count: number): Promise<boolean> {
    const now = sql<number>`${this.#now}`
    const sequence = (this.#sent?.sequence ?? 0) + count
    const head = { writer: this.#writer, sequence, created_at: now, updated_at: now }
    return await falseIfTaken(async () => {
      await this.#db.insertInto('oauth_revocation_heads').values(head).execute()
    })
  }

  async #head(): Promise<Head & { readonly now: EpochMs }> {
    const head = await this.#db
      .selectFrom('oauth_revocation_heads')
      .select(['sequence', 'created_at', 'updated_at'])
      .where('writer', '=', this.#writer)
      .executeTakeFirstOrThrow()
    return {
      sequence: integer(head.sequence, 'sequence'),
      createdAt: moment(head.created_at, 'created_at'),
      now: moment(head.updated_at, 'updated_at'),
    }
  }
}
