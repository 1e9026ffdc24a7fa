import { type Kysely, type RawBuilder, type Selectable, sql } from 'kysely'
import type { ChainHead, ChainHeads, ChainRange, PlacedEvent } from '../../../domain/audit-event.ts'
import type { AuditFeedReads } from '../../contract/audit-log.ts'
import type { StoreContext } from '../../contract/context.ts'
import { padded } from '../core/prepared-statement.ts'
import { integer, moment } from '../core/rows.ts'
import type { AuditHeadTable, Database, StoredInt } from '../core/schema.ts'
import { EVENT_COLUMNS, eventOf } from './log.ts'

/** The limit on ordinals in one statement keeps the number of statement texts small. */
const ORDINALS_AT_ONCE = 16

type HeadRow = Pick<Selectable<AuditHeadTable>, 'ordinal' | 'writer_id' | 'sequence' | 'created_at' | 'updated_at'> & {
  readonly now: StoredInt
}

/** Reads the audit log for its followers. */
export class SqlAuditFeed implements AuditFeedReads {
  readonly #db: Kysely<Database>
  readonly #now: RawBuilder<StoredInt>

  /** `now`: the database's clock in its dialect. */
  constructor(db: Kysely<Database>, now: RawBuilder<StoredInt>) {
    this.#db = db
    this.#now = now
  }

  async heads(_ctx: StoreContext, ordinals: readonly number[], after: number, limit: number): Promise<ChainHeads> {
    const rows: HeadRow[] = []
    const known = ordinals.filter((ordinal) => ordinal <= after).toSorted((a, b) => a - b)
    for (let from = 0; from < known.length; from += ORDINALS_AT_ONCE) {
      const some = padded(known.slice(from, from + ORDINALS_AT_ONCE))
      rows.push(...(await this.#heads().where('ordinal', 'in', some).execute()))
    }
    const last = await this.#lastOfNext(after, limit)
    if (last !== null) {
      const next = this.#heads().where('ordinal', '>', after).where('ordinal', '<=', last)
      rows.push(...(await next.limit(sql.lit(limit)).execute()))
    }
    const [first] = rows
    const now = first === undefined ? await this.#clock() : first.now
    return { now: moment(now, 'now'), heads: rows.map(headOf) }
  }

  async within(_ctx: StoreContext, ranges: readonly ChainRange[], limit: number): Promise<readonly PlacedEvent[]> {
    const found: PlacedEvent[] = []
    // For several ranges in one statement, SQLite would scan the whole log in the requested order.
    for (const range of ranges) {
      if (found.length >= limit) break
      found.push(...(await this.#within(range, limit - found.length)))
    }
    return found
  }

  async #within({ writerId, after, upTo }: ChainRange, limit: number): Promise<readonly PlacedEvent[]> {
    const rows = await this.#db
      .selectFrom('oauth_audit_log')
      .select(EVENT_COLUMNS)
      .select(['writer_id', 'sequence'])
      .where('writer_id', '=', writerId)
      .where('sequence', '>', after)
      .where('sequence', '<=', upTo)
      .orderBy('sequence')
      .limit(sql.lit(limit))
      .execute()
    return rows.map((row) => ({
      event: eventOf(row),
      writerId: row.writer_id,
      sequence: integer(row.sequence, 'sequence'),
    }))
  }

  /** Reads only the index: without an upper bound, MySQL scans the table for complete rows. */
  async #lastOfNext(after: number, limit: number): Promise<number | null> {
    const next = await this.#db
      .selectFrom('oauth_audit_heads')
      .select('ordinal')
      .where('ordinal', '>', after)
      .orderBy('ordinal')
      .limit(sql.lit(limit))
      .execute()
    const last = next.at(-1)
    return last === undefined ? null : integer(last.ordinal, 'ordinal')
  }

  #heads() {
    return this.#db
      .selectFrom('oauth_audit_heads')
      .select(['ordinal', 'writer_id', 'sequence', 'created_at', 'updated_at', this.#now.as('now')])
      .orderBy('ordinal')
  }

  async #clock(): Promise<StoredInt> {
    const { rows } = await this.#db.executeQuery(
      sql<{ readonly now: StoredInt }>`select ${this.#now} as now`.compile(this.#db),
    )
    return rows[0]?.now ?? 0
  }
}

function headOf(row: HeadRow): ChainHead {
  return Object.freeze({
    ordinal: integer(row.ordinal, 'ordinal'),
    writerId: row.writer_id,
    sequence: integer(row.sequence, 'sequence'),
    createdAt: moment(row.created_at, 'created_at'),
    updatedAt: moment(row.updated_at, 'updated_at'),
  })
}
