import { type Kysely, sql } from 'kysely'
import type { PurgeKind } from '../../../domain/expiry.ts'
import { type EpochMs, grantId } from '../../../domain/ids.ts'
import type { Ending } from '../../contract/backend.ts'
import type { Maintenance } from '../../contract/maintenance.ts'
import { integer, momentOrNull } from '../core/rows.ts'
import type { Database } from '../core/schema.ts'
import { padded } from '../core/sized-statements.ts'
import { deleteGrants } from '../tables/purge-grants.ts'
import { acquireLease } from './leases.ts'

/** Runs work in a short transaction of its own. */
export type InTransaction = <T>(work: (db: Kysely<Database>) => Promise<Ending<T>>) => Promise<T>

/** Where the rows of one kind are, what deletes one of them, and when each has ended. */
type Ended = {
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
} as const satisfies Record<PurgeKind, Ended>)

/** Rows are looked for outside of a transaction and deleted by primary key, so that no call waits for the search. */
export function maintenanceOn(db: Kysely<Database>, inTransaction: InTransaction): Maintenance {
  const change = (work: (db: Kysely<Database>) => Promise<number>) =>
    inTransaction(async (tx) => ({ commit: true, value: await work(tx) }))

  return {
    acquireLease: (name, holder, now, until) =>
      inTransaction(async (tx) => {
        const acquired = await acquireLease(tx, name, holder, now, until)
        return { commit: acquired, value: acquired }
      }),
    purge: async (kind, before, limit) => {
      const { table, key } = ENDED[kind]
      const keys = (await endedRows(db, kind, before, limit).execute()).map((row) => row.key)
      if (keys.length === 0) return 0
      if (kind === 'grants') {
        // With all that hangs on them, which counts too.
        const ids = keys.map((id) => grantId(String(id)))
        return await change((tx) => deleteGrants(tx, ids, before, limit))
      }
      return await change(async (tx) => {
        const result = await tx.deleteFrom(table).where(sql.ref(key), 'in', padded(keys)).executeTakeFirst()
        return Number(result.numDeletedRows)
      })
    },
    backlog: async (kind, before, most) => {
      const row = await db
        .selectFrom(endedRows(db, kind, before, most).as('ended'))
        .select((rows) => [
          rows.fn.countAll<number>().as('many'),
          rows.fn.min<number | null>('ended.ended_at').as('oldest'),
        ])
        .executeTakeFirstOrThrow()
      return Object.freeze({ count: integer(row.many, 'count'), oldest: momentOrNull(row.oldest, 'oldest') })
    },
    eraseReplays: async (now, limit) => {
      const rows = await db
        .selectFrom('oauth_refresh_tokens')
        .select('token_id')
        .where('replay_until', '<=', now)
        .orderBy('replay_until')
        .limit(sql.lit(limit))
        .execute()
      if (rows.length === 0) return 0
      const ids = padded(rows.map((row) => row.token_id))
      return await change(async (tx) => {
        const result = await tx
          .updateTable('oauth_refresh_tokens')
          .set({ replay_answer: null, replay_until: null })
          .where('token_id', 'in', ids)
          .where('replay_until', 'is not', null)
          .executeTakeFirst()
        return Number(result.numUpdatedRows)
      })
    },
  }
}

/** The longest ended first. */
function endedRows(db: Kysely<Database>, kind: PurgeKind, before: EpochMs, limit: number) {
  const { table, key, end } = ENDED[kind]
  return db
    .selectFrom(table)
    .select([sql.ref<string | Buffer>(key).as('key'), sql.ref<number>(end).as('ended_at')])
    .where(sql.ref(end), '<', before)
    .orderBy(sql.ref(end))
    .limit(sql.lit(limit))
}
