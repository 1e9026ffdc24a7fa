import { type Kysely, sql } from 'kysely'
import { type EpochMs, grantId } from '../../domain/ids.ts'
import type { Ending, Maintenance, PurgeKind } from '../contract.ts'
import { acquireLease } from './leases.ts'
import { deleteGrants } from './purge-grants.ts'
import { integer, momentOrNull } from './rows.ts'
import type { Database } from './schema.ts'
import { padded } from './sized-statements.ts'

/** Runs work in a short transaction of its own. */
export type InTransaction = <T>(work: (db: Kysely<Database>) => Promise<Ending<T>>) => Promise<T>

/** Rows are looked for outside of a transaction and deleted by primary key, so that no call waits for the search. */
export function maintenanceOn(db: Kysely<Database>, inTransaction: InTransaction): Maintenance {
  const change = (work: (db: Kysely<Database>) => Promise<number>) =>
    inTransaction(async (tx) => ({ commit: true, value: await work(tx) }))

  const purges = {
    access_tokens: async (before, limit) => {
      const rows = await endedTokens(db, before, limit).execute()
      if (rows.length === 0) return 0
      const ids = padded(rows.map((row) => row.id))
      return await change(async (tx) => {
        const result = await tx.deleteFrom('oauth_access_tokens').where('token_id', 'in', ids).executeTakeFirst()
        return Number(result.numDeletedRows)
      })
    },
    grants: async (before, limit) => {
      const rows = await endedGrants(db, before, limit).execute()
      if (rows.length === 0) return 0
      const ids = rows.map((row) => grantId(row.id))
      return await change((tx) => deleteGrants(tx, ids, before, limit))
    },
    device_authorizations: async (before, limit) => {
      const rows = await endedDevices(db, before, limit).execute()
      if (rows.length === 0) return 0
      const ids = padded(rows.map((row) => row.id))
      return await change(async (tx) => {
        const codes = tx.deleteFrom('oauth_device_codes').where('device_authorization_id', 'in', ids)
        return Number((await codes.executeTakeFirst()).numDeletedRows)
      })
    },
    assertion_ids: async (before, limit) => {
      const rows = await endedAssertions(db, before, limit).select('assertion_hash').execute()
      if (rows.length === 0) return 0
      const hashes = padded(rows.map((row) => row.assertion_hash))
      return await change(async (tx) => {
        const uses = tx.deleteFrom('oauth_assertion_ids').where('assertion_hash', 'in', hashes)
        return Number((await uses.executeTakeFirst()).numDeletedRows)
      })
    },
  } satisfies Record<PurgeKind, (before: EpochMs, limit: number) => Promise<number>>

  return {
    acquireLease: (name, holder, now, until) =>
      inTransaction(async (tx) => {
        const acquired = await acquireLease(tx, name, holder, now, until)
        return { commit: acquired, value: acquired }
      }),
    purge: (kind, before, limit) => purges[kind](before, limit),
    backlog: async (kind, before, most) => {
      const row = await db
        .selectFrom(ENDED[kind](db, before, most).as('ended'))
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

function endedTokens(db: Kysely<Database>, before: EpochMs, limit: number) {
  return db
    .selectFrom('oauth_access_tokens')
    .select(['token_id as id', 'expires_at as ended_at'])
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .limit(sql.lit(limit))
}

function endedGrants(db: Kysely<Database>, before: EpochMs, limit: number) {
  return db
    .selectFrom('oauth_grants')
    .select(['grant_id as id', 'tokens_until as ended_at'])
    .where('tokens_until', '<', before)
    .orderBy('tokens_until')
    .limit(sql.lit(limit))
}

function endedDevices(db: Kysely<Database>, before: EpochMs, limit: number) {
  return db
    .selectFrom('oauth_device_codes')
    .select(['device_authorization_id as id', 'expires_at as ended_at'])
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .limit(sql.lit(limit))
}

function endedAssertions(db: Kysely<Database>, before: EpochMs, limit: number) {
  return db
    .selectFrom('oauth_assertion_ids')
    .select(['use_id as id', 'expires_at as ended_at'])
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .limit(sql.lit(limit))
}

const ENDED = Object.freeze({
  access_tokens: endedTokens,
  grants: endedGrants,
  device_authorizations: endedDevices,
  assertion_ids: endedAssertions,
} satisfies Record<PurgeKind, unknown>)
