import { type Kysely, sql, type UpdateObject } from 'kysely'
import type { DeviceDecision } from '../../../domain/device-authorization.ts'
import type { DeviceAuthorizationId } from '../../../domain/ids.ts'
import type { Change } from '../../contract/context.ts'
import type { DeviceAuthorizationReads, DeviceAuthorizationStore } from '../../contract/device-authorizations.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { integer } from '../core/rows.ts'
import type { Database } from '../schema.ts'

type DeviceWrites = Omit<DeviceAuthorizationStore, keyof DeviceAuthorizationReads>

export function deviceAuthorizationWrites(db: Kysely<Database>): DeviceWrites {
  /** The guarded update that decides who takes an authorization from one state to the next. */
  async function advance(id: DeviceAuthorizationId, from: DeviceDecision, set: DeviceColumns, { at, by }: Change) {
    const result = await db
      .updateTable('oauth_device_codes')
      .set({ ...set, updated_at: at, updated_by: by })
      .where('device_authorization_id', '=', id)
      .where('decision', '=', from)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  return {
    insert: (authorization) =>
      falseIfTaken(async () => {
        const { decision, userCodeHash } = authorization
        await db
          .insertInto('oauth_device_codes')
          .values({
            device_authorization_id: authorization.deviceAuthorizationId,
            device_code_hash: authorization.deviceCodeHash,
            user_code_hash: userCodeHash,
            live_user_code_hash: decision === 'pending' ? userCodeHash : null,
            user_code_key_id: authorization.userCodeKeyId,
            client_id: authorization.clientId,
            scopes: authorization.scopes.join(' '),
            audiences: JSON.stringify(authorization.audiences),
            client_generation: authorization.clientGeneration,
            decision,
            lock_version: 0,
            poll_interval: authorization.pollInterval,
            last_polled_at: authorization.lastPolledAt,
            grant_id: authorization.grantId,
            expires_at: authorization.expiresAt,
            ray_id: authorization.rayId,
            created_at: authorization.createdAt,
            created_by: authorization.createdBy,
            updated_at: null,
            updated_by: null,
          })
          .execute()
      }),
    countPending: async (ctx, client) => {
      const row = await db
        .selectFrom('oauth_device_codes')
        .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_device_codes.client_id')
        .select((rows) => rows.fn.countAll<number>().as('pending'))
        .where('oauth_device_codes.client_id', '=', client)
        .whereRef('oauth_device_codes.client_generation', '=', 'oauth_clients.token_generation')
        .where('oauth_device_codes.decision', '=', 'pending')
        .where('oauth_device_codes.expires_at', '>', ctx.now)
        .executeTakeFirstOrThrow()
      return integer(row.pending, 'pending')
    },
    hold: async (id) => {
      const result = await db
        .updateTable('oauth_device_codes')
        .set({ lock_version: sql<number>`lock_version + 1` })
        .where('device_authorization_id', '=', id)
        .where('decision', '=', 'pending')
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
    notePoll: async (id, { at, interval }) => {
      await db
        .updateTable('oauth_device_codes')
        .set((row) => ({
          last_polled_at: at,
          poll_interval: interval,
          updated_at: at,
          updated_by: row.ref('client_id'),
        }))
        .where('device_authorization_id', '=', id)
        .execute()
    },
    approve: (id, grant, change) =>
      advance(id, 'pending', { decision: 'approved', grant_id: grant, live_user_code_hash: null }, change),
    deny: (id, change) => advance(id, 'pending', { decision: 'denied', live_user_code_hash: null }, change),
    redeem: (id, change) => advance(id, 'approved', { decision: 'redeemed' }, change),
  }
}

type DeviceColumns = UpdateObject<Database, 'oauth_device_codes', 'oauth_device_codes'>
