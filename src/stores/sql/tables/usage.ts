import { createHash } from 'node:crypto'
import { type Kysely, type Selectable, type SelectQueryBuilder, sql } from 'kysely'
import { type ClientId, clientId, type EpochMs, epochMs } from '../../../domain/ids.ts'
import type { ClientUsage, ScopeCount } from '../../../domain/usage.ts'
import type { StoreContext } from '../../contract/context.ts'
import type { UsageFilter, UsagePlace, UsageReads, UsageStore } from '../../contract/usage.ts'
import { padded } from '../core/prepared-statement.ts'
import { integer } from '../core/rows.ts'
import type { Database, ScopeUsageTable } from '../core/schema.ts'

export class SqlUsageReads implements UsageReads {
  readonly #db: Kysely<Database>

  constructor(db: Kysely<Database>) {
    this.#db = db
  }

  async page(
    _ctx: StoreContext,
    filter: UsageFilter,
    after: UsagePlace | null,
    limit: number,
  ): Promise<readonly ClientUsage[]> {
    return filter.clientId === null
      ? await this.#ofAll(filter, after, limit)
      : await this.#ofClient(filter.clientId, filter, after, limit)
  }

  /** Day by day, each of which is an index range. */
  async #ofAll({ from, until }: UsageFilter, after: UsagePlace | null, limit: number): Promise<readonly ClientUsage[]> {
    const found: ClientUsage[] = []
    let day = after === null ? await this.#dayBefore(until, from) : after.day
    let behind: string = after?.clientId ?? ''
    while (day !== null && found.length < limit) {
      const rows = await this.#db
        .selectFrom('oauth_scope_usage')
        .select('client_id')
        .where('day', '=', day)
        .where('client_id', '>', behind)
        .groupBy('client_id')
        .orderBy('client_id')
        .limit(sql.lit(limit - found.length))
        .execute()
      const clients = rows.map((row) => row.client_id)
      if (clients.length > 0) {
        found.push(
          ...(await this.#usages((rowsOf) => rowsOf.where('day', '=', day).where('client_id', 'in', padded(clients)))),
        )
      }
      day = await this.#dayBefore(day, from)
      behind = ''
    }
    return found
  }

  async #ofClient(
    client: ClientId,
    { from, until }: UsageFilter,
    after: UsagePlace | null,
    limit: number,
  ): Promise<readonly ClientUsage[]> {
    const before = after?.day ?? until
    const rows = await this.#db
      .selectFrom('oauth_scope_usage')
      .select('day')
      .where('client_id', '=', client)
      .$if(from !== null, (query) => query.where('day', '>=', from ?? 0))
      .$if(before !== null, (query) => query.where('day', '<', before ?? 0))
      .groupBy('day')
      .orderBy('day', 'desc')
      .limit(sql.lit(limit))
      .execute()
    const days = rows.map((row) => integer(row.day, 'day'))
    if (days.length === 0) return []
    const usages = await this.#usages((rowsOf) =>
      rowsOf.where('client_id', '=', client).where('day', 'in', padded(days)),
    )
    return usages.toSorted((a, b) => b.day - a.day)
  }

  /** The latest day that began before a moment. `null`: there is none from `from` on. */
  async #dayBefore(moment: EpochMs | null, from: EpochMs | null): Promise<EpochMs | null> {
    const row = await this.#db
      .selectFrom('oauth_scope_usage')
      .select('day')
      .$if(moment !== null, (query) => query.where('day', '<', moment ?? 0))
      .$if(from !== null, (query) => query.where('day', '>=', from ?? 0))
      .orderBy('day', 'desc')
      .limit(sql.lit(1))
      .executeTakeFirst()
    return row === undefined ? null : epochMs(integer(row.day, 'day'))
  }

  /** Ordered by client, or by day for a single client. */
  async #usages(chosen: (rows: UsageRows) => UsageRows): Promise<readonly ClientUsage[]> {
    const rows = await chosen(this.#rows()).execute()
    const grouped = Map.groupBy(rows, (row) => `${row.client_id} ${integer(row.day, 'day')}`)
    return [...grouped]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, ofPlace]) => {
        const [first] = ofPlace
        if (first === undefined) return []
        const scopes = ofPlace.map(({ scope, asked, granted }) => ({
          scope,
          asked: integer(asked, 'asked'),
          granted: integer(granted, 'granted'),
        }))
        return [
          {
            day: epochMs(integer(first.day, 'day')),
            clientId: clientId(first.client_id),
            scopes: scopes.toSorted((a, b) => (a.scope < b.scope ? -1 : 1)),
          },
        ]
      })
  }

  #rows() {
    return this.#db.selectFrom('oauth_scope_usage').select(['day', 'client_id', 'scope', 'asked', 'granted'])
  }
}

type UsageRows = SelectQueryBuilder<
  Database,
  'oauth_scope_usage',
  Pick<Selectable<ScopeUsageTable>, 'day' | 'client_id' | 'scope' | 'asked' | 'granted'>
>

export class SqlUsageStore implements UsageStore {
  readonly #db: Kysely<Database>

  constructor(db: Kysely<Database>) {
    this.#db = db
  }

  async add(
    counts: readonly ScopeCount[],
    { at, forgetAt }: { readonly at: EpochMs; readonly forgetAt: EpochMs },
  ): Promise<void> {
    for (const count of counts) {
      const { day, clientId: client, scope, asked, granted } = count
      const usage_hash = hashOf(count)
      const added = await this.#db
        .updateTable('oauth_scope_usage')
        .set({
          asked: sql<number>`asked + ${asked}`,
          granted: sql<number>`granted + ${granted}`,
          updated_at: at,
        })
        .where('usage_hash', '=', usage_hash)
        .executeTakeFirst()
      if (added.numUpdatedRows > 0n) continue
      const row = { usage_hash, day, client_id: client, scope, asked, granted, forget_at: forgetAt }
      await this.#db
        .insertInto('oauth_scope_usage')
        .values({ ...row, created_at: at, updated_at: at })
        .execute()
    }
  }
}

function hashOf({ day, clientId: client, scope }: ScopeCount): Buffer {
  return createHash('sha256').update(`${day} ${client} ${scope}`).digest()
}
