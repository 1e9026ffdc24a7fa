import { type Kysely, type Selectable, sql } from 'kysely'
import { DEVICE_DECISIONS, type DeviceAuthorizationStatus } from '../../../domain/device-authorization.ts'
import {
  clientId,
  deviceAuthorizationId,
  grantId,
  keyId,
  milliseconds,
  type TokenHash,
  type UserCodeHash,
} from '../../../domain/ids.ts'
import type { Span } from '../../../trace.ts'
import type { DeviceAuthorizationReads } from '../../contract/device-authorizations.ts'
import { hashKey } from '../core/hash-key.ts'
import { hash32, integer, moment, momentOrNull, oneOf, stringList, words } from '../core/rows.ts'
import { KeyedQuery } from '../core/sized-statements.ts'
import type { Database } from '../schema.ts'
import type { DeviceCodeTable } from '../token-schema.ts'
import { CLIENT_STATUS, type ClientStatusRow, clientStatusOf } from './principal-status.ts'

type DeviceRow = Omit<
  Selectable<DeviceCodeTable>,
  'live_user_code_hash' | 'lock_version' | 'updated_at' | 'updated_by'
> &
  ClientStatusRow & { readonly client_display_name: string }

/** Looks device authorizations up by device code, each with the standing of its client, in one statement. */
export function findDeviceCodes(
  db: Kysely<Database>,
): (hashes: readonly TokenHash[]) => Promise<ReadonlyMap<string, DeviceAuthorizationStatus>> {
  const query = new KeyedQuery<TokenHash, DeviceRow>((hashes) =>
    standings(db).where('oauth_device_codes.device_code_hash', 'in', hashes).compile(),
  )
  return async (hashes) => {
    const { rows } = await db.executeQuery(query.for(hashes))
    return new Map(rows.map(standingOf).map((standing) => [hashKey(standing.authorization.deviceCodeHash), standing]))
  }
}

export function deviceAuthorizationReads(
  db: Kysely<Database>,
  findByDeviceCode: (hash: TokenHash, span?: Span) => Promise<DeviceAuthorizationStatus | null>,
): DeviceAuthorizationReads {
  return {
    findByDeviceCode: ({ span }, hash) => findByDeviceCode(hash, span),
    findByUserCode: async (_ctx, hashes) => {
      if (hashes.length === 0) return null
      const row = await standings(db)
        .where('oauth_device_codes.user_code_hash', 'in', hashes)
        .orderBy('oauth_device_codes.device_authorization_id', 'desc')
        .limit(sql.lit(1))
        .executeTakeFirst()
      return row === undefined ? null : standingOf(row)
    },
    keyIds: async (ctx) => {
      const rows = await db
        .selectFrom('oauth_device_codes')
        .select('user_code_key_id')
        .distinct()
        .where('expires_at', '>', ctx.now)
        .where('live_user_code_hash', 'is not', null)
        .orderBy('user_code_key_id')
        .execute()
      return rows.map((row) => keyId(row.user_code_key_id))
    },
  }
}

function standings(db: Kysely<Database>) {
  return db
    .selectFrom('oauth_device_codes')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_device_codes.client_id')
    .select([
      'oauth_device_codes.device_authorization_id',
      'oauth_device_codes.device_code_hash',
      'oauth_device_codes.user_code_hash',
      'oauth_device_codes.user_code_key_id',
      'oauth_device_codes.client_id',
      'oauth_device_codes.scopes',
      'oauth_device_codes.audiences',
      'oauth_device_codes.client_generation',
      'oauth_device_codes.decision',
      'oauth_device_codes.poll_interval',
      'oauth_device_codes.last_polled_at',
      'oauth_device_codes.grant_id',
      'oauth_device_codes.expires_at',
      'oauth_device_codes.ray_id',
      'oauth_device_codes.created_at',
      'oauth_device_codes.created_by',
      'oauth_clients.display_name as client_display_name',
      ...CLIENT_STATUS,
    ])
}

function standingOf(row: DeviceRow): DeviceAuthorizationStatus {
  return Object.freeze({
    authorization: Object.freeze({
      deviceAuthorizationId: deviceAuthorizationId(row.device_authorization_id),
      deviceCodeHash: hash32(row.device_code_hash, 'device_code_hash') as TokenHash,
      userCodeHash: hash32(row.user_code_hash, 'user_code_hash') as UserCodeHash,
      userCodeKeyId: keyId(row.user_code_key_id),
      clientId: clientId(row.client_id),
      scopes: words(row.scopes),
      audiences: stringList(row.audiences, 'audiences'),
      clientGeneration: integer(row.client_generation, 'client_generation'),
      decision: oneOf(row.decision, DEVICE_DECISIONS, 'decision'),
      pollInterval: milliseconds(integer(row.poll_interval, 'poll_interval')),
      lastPolledAt: momentOrNull(row.last_polled_at, 'last_polled_at'),
      grantId: row.grant_id === null ? null : grantId(row.grant_id),
      createdAt: moment(row.created_at, 'created_at'),
      createdBy: row.created_by,
      expiresAt: moment(row.expires_at, 'expires_at'),
      rayId: row.ray_id,
    }),
    client: Object.freeze({ ...clientStatusOf(row), displayName: row.client_display_name }),
  })
}
