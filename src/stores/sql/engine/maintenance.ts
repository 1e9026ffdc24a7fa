import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { PurgeKind } from '../../../domain/expiry.ts'
import { type EpochMs, grantId, type KeyId } from '../../../domain/ids.ts'
import type { Ending, Maintenance } from '../../contract/backend.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { padded } from '../core/prepared-statement.ts'
import { bytes, integer, moment, momentOrNull } from '../core/rows.ts'
import type { Database, StoredInt } from '../core/schema.ts'
import { bareHeads, deleteHeads, deleteRevocations, forgottenBacklog, forgottenBefore } from '../revocations/purge.ts'
import { DELETED_UNTIL, deleteUses } from '../tables/assertion-ids.ts'
import { deleteGrants } from '../tables/grants.ts'

/** Runs `work` in a short transaction. */
export type InTransaction = <T>(work: (db: Kysely<Database>) => Promise<Ending<T>>) => Promise<T>

/** Where the rows of a kind are, how to delete one, and when each ended. */
type EndedRows = {
  [Table in keyof Database]: {
    readonly table: Table
    /** The primary key. */
    readonly key: keyof Database[Table] & string
    readonly end: keyof Database[Table] & string
  }
}[keyof Database]

const ENDED = Object.freeze({
  access_tokens: { table: 'oauth_access_tokens', key: 'token_id', end: 'expires_at' },
  grants: { table: 'oauth_grants', key: 'grant_id', end: 'tokens_until' },
  device_authorizations: { table: 'oauth_device_codes', key: 'device_authorization_id', end: 'expires_at' },
  assertion_ids: { table: 'oauth_assertion_ids', key: 'assertion_hash', end: 'expires_at' },
  scope_usage: { table: 'oauth_scope_usage', key: 'usage_hash', end: 'forget_at' },
} as const satisfies Record<Exclude<PurgeKind, 'revocations'>, EndedRows>)

/** Searches for rows outside of a transaction and deletes them by primary key, so that no call waits for the search. */
export class SqlMaintenance implements Maintenance {
  readonly #db: Kysely<Database>
  readonly #now: RawBuilder<StoredInt>
  readonly #inTransaction: InTransaction

  /** `now`: the database's clock in its dialect. */
  constructor(db: Kysely<Database>, now: RawBuilder<StoredInt>, inTransaction: InTransaction) {
    this.#db = db
    this.#now = now
    this.#inTransaction = inTransaction
  }

  async acquireLease(name: string, holder: string, now: EpochMs, until: EpochMs): Promise<boolean> {
    return await this.#inTransaction(async (tx) => {
      const acquired = await acquireLease(tx, name, holder, now, until)
      return { commit: acquired, value: acquired }
    })
  }

  async purge(kind: PurgeKind, before: EpochMs, limit: number): Promise<number> {
    if (kind === 'revocations') return await this.#purgeRevocations(before, limit)
    const { table, key } = ENDED[kind]
    const rows = await this.#endedRows(kind, before, limit).execute()
    const last = rows.at(-1)
    if (last === undefined) return 0
    const keys = rows.map((row) => row.key)
    if (kind === 'assertion_ids') {
      const hashes = keys.map((hash) => bytes(hash, key))
      const until = moment(last.ended_at, 'expires_at')
      return await this.#inTransaction((tx) => deleteUses(tx, hashes, until, this.#now))
    }
    if (kind === 'grants') {
      // Dependent rows are deleted and counted, too.
      const ids = keys.map((id) => grantId(String(id)))
      return await this.#change((tx) => deleteGrants(tx, ids, before, limit))
    }
    return await this.#change(async (tx) => {
      const result = await tx.deleteFrom(table).where(sql.ref(key), 'in', padded(keys)).executeTakeFirst()
      return Number(result.numDeletedRows)
    })
  }

  async backlog(
    kind: PurgeKind,
    before: EpochMs,
    most: number,
  ): Promise<{ readonly count: number; readonly oldest: EpochMs | null }> {
    if (kind === 'revocations') return await forgottenBacklog(this.#db, this.#now, before, most)
    const row = await this.#db
      .selectFrom(this.#endedRows(kind, before, most).as('ended'))
      .select((rows) => [
        rows.fn.countAll<number>().as('many'),
        rows.fn.min<number | null>('ended.ended_at').as('oldest'),
      ])
      .executeTakeFirstOrThrow()
    return Object.freeze({ count: integer(row.many, 'count'), oldest: momentOrNull(row.oldest, 'oldest') })
  }

  async noteRevocationKey(id: KeyId): Promise<void> {
    const now = sql<number>`${this.#now}`
    await this.#inTransaction(async (tx) => {
      const noted = await tx
        .updateTable('oauth_revocation_keys')
        .set({ used_at: now })
        .where('key_id', '=', id)
        .executeTakeFirst()
      if (noted.numUpdatedRows > 0n) return { commit: true, value: undefined }
      const inserted = await falseIfTaken(async () => {
        await tx.insertInto('oauth_revocation_keys').values({ key_id: id, used_at: now, created_at: now }).execute()
      })
      // Another instance noted it first, at this moment.
      return { commit: inserted, value: undefined }
    })
  }

  async eraseReplays(now: EpochMs, limit: number): Promise<number> {
    const rows = await this.#db
      .selectFrom('oauth_refresh_tokens')
      .select('token_id')
      .where('replay_until', '<=', now)
      .orderBy('replay_until')
      .limit(sql.lit(limit))
      .execute()
    if (rows.length === 0) return 0
    const ids = padded(rows.map((row) => row.token_id))
    return await this.#change(async (tx) => {
      const result = await tx
        .updateTable('oauth_refresh_tokens')
        .set({ replay_answer: null, replay_until: null })
        .where('token_id', 'in', ids)
        .where('replay_until', 'is not', null)
        .executeTakeFirst()
      return Number(result.numUpdatedRows)
    })
  }

  async #change(work: (db: Kysely<Database>) => Promise<number>): Promise<number> {
    return await this.#inTransaction(async (tx) => ({ commit: true, value: await work(tx) }))
  }

  /** When no revocations are left to delete, the writers without any are deleted. */
  async #purgeRevocations(before: EpochMs, limit: number): Promise<number> {
    const places = await forgottenBefore(this.#db, this.#now, before, limit).execute()
    const deleted = places.length === 0 ? 0 : await this.#change((tx) => deleteRevocations(tx, places))
    if (places.length < limit) {
      const heads = await bareHeads(this.#db, limit)
      if (heads.length > 0)
        await this.#inTransaction(async (tx) => ({ commit: true, value: await deleteHeads(tx, heads) }))
    }
    return deleted
  }

  /** Rows that ended first come first. */
  #endedRows(kind: Exclude<PurgeKind, 'revocations'>, before: EpochMs, limit: number) {
    const { table, key, end } = ENDED[kind]
    return this.#db
      .selectFrom(table)
      .select([sql.ref<string | Buffer>(key).as('key'), sql.ref<number>(end).as('ended_at')])
      .where(sql.ref(end), '<', before)
      .$if(kind === 'assertion_ids', (rows) => rows.where(sql.ref(key), '<>', DELETED_UNTIL))
      .orderBy(sql.ref(end))
      .limit(sql.lit(limit))
  }
}

/**
 * Takes a lease that is free, has expired, or is already held. `false`: roll back. A lease that ends later than any correct
 * clock allows was taken by a clock that was ahead. Its holder may be gone, so it is taken over.
 */
async function acquireLease(
  db: Kysely<Database>,
  name: string,
  holder: string,
  now: EpochMs,
  until: EpochMs,
): Promise<boolean> {
  const length = until - now
  const honestUntil = length > 0 ? until + length : Number.MAX_SAFE_INTEGER
  const taken = { holder, expires_at: until, updated_at: now, updated_by: holder }
  // An update that waited for the row finds the lease renewed and matches nothing.
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
