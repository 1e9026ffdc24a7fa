import { type Kysely, type Selectable, sql, type UpdateObject } from 'kysely'
import {
  DEVICE_DECISIONS,
  type DeviceAuthorization,
  type DeviceAuthorizationStatus,
  type DeviceDecision,
} from '../../../domain/device-authorization.ts'
import {
  type ClientId,
  clientId,
  type DeviceAuthorizationId,
  deviceAuthorizationId,
  type EpochMs,
  type GrantId,
  grantId,
  type KeyId,
  keyId,
  type Milliseconds,
  milliseconds,
  type TokenHash,
  type UserCodeHash,
} from '../../../domain/ids.ts'
import type { Change, StoreContext } from '../../contract/context.ts'
import type { DeviceAuthorizationReads, DeviceAuthorizationStore } from '../../contract/device-authorizations.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { hash32, hashKey, integer, moment, momentOrNull, oneOf, stringList, words } from '../core/rows.ts'
import type { Database, DeviceCodeTable } from '../core/schema.ts'
import { CLIENT_STATUS, type ClientStatusRow, clientStatusOf } from './principal-status.ts'
import { type Finder, loadBy, type ReadSource } from './read-source.ts'

type DeviceRow = Omit<
  Selectable<DeviceCodeTable>,
  'live_user_code_hash' | 'lock_version' | 'updated_at' | 'updated_by'
> &
  ClientStatusRow & { readonly client_display_name: string }

/** Each authorization is read with the status of its client, in one statement. */
export class SqlDeviceAuthorizationReads implements DeviceAuthorizationReads {
  readonly #db: Kysely<Database>
  readonly #byDeviceCode: Finder<TokenHash, DeviceAuthorizationStatus | null>

  constructor(source: ReadSource) {
    const { db } = source
    this.#db = db
    this.#byDeviceCode = source.finder({
      name: 'device_authorizations',
      load: loadBy(
        db,
        (hashes) => statusRows(db).where('oauth_device_codes.device_code_hash', 'in', hashes).compile(),
        (rows) => new Map(rows.map(statusOf).map((status) => [hashKey(status.authorization.deviceCodeHash), status])),
      ),
      nameOf: hashKey,
      absent: null,
    })
  }

  findByDeviceCode({ span }: StoreContext, hash: TokenHash): Promise<DeviceAuthorizationStatus | null> {
    return this.#byDeviceCode.find(hash, span)
  }

  async findByUserCode(_ctx: StoreContext, hashes: readonly UserCodeHash[]): Promise<DeviceAuthorizationStatus | null> {
    if (hashes.length === 0) return null
    const row = await statusRows(this.#db)
      .where('oauth_device_codes.user_code_hash', 'in', hashes)
      .orderBy('oauth_device_codes.device_authorization_id', 'desc')
      .limit(sql.lit(1))
      .executeTakeFirst()
    return row === undefined ? null : statusOf(row)
  }

  async keyIds(ctx: StoreContext): Promise<readonly KeyId[]> {
    const rows = await this.#db
      .selectFrom('oauth_device_codes')
      .select('user_code_key_id')
      .distinct()
      .where('expires_at', '>', ctx.now)
      .where('live_user_code_hash', 'is not', null)
      .orderBy('user_code_key_id')
      .execute()
    return rows.map((row) => keyId(row.user_code_key_id))
  }

  async countPending(ctx: StoreContext, client: ClientId): Promise<number> {
    const row = await this.#db
      .selectFrom('oauth_device_codes')
      .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_device_codes.client_id')
      .select((rows) => rows.fn.countAll<number>().as('pending'))
      .where('oauth_device_codes.client_id', '=', client)
      .whereRef('oauth_device_codes.client_generation', '=', 'oauth_clients.token_generation')
      .where('oauth_device_codes.decision', '=', 'pending')
      .where('oauth_device_codes.expires_at', '>', ctx.now)
      .executeTakeFirstOrThrow()
    return integer(row.pending, 'pending')
  }
}

type DeviceColumns = UpdateObject<Database, 'oauth_device_codes', 'oauth_device_codes'>

export class SqlDeviceAuthorizationStore extends SqlDeviceAuthorizationReads implements DeviceAuthorizationStore {
  readonly #db: Kysely<Database>

  constructor(source: ReadSource) {
    super(source)
    this.#db = source.db
  }

  async insert(authorization: DeviceAuthorization): Promise<boolean> {
    return await falseIfTaken(async () => {
      const { decision, userCodeHash } = authorization
      await this.#db
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
    })
  }

  async lock(id: DeviceAuthorizationId): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_device_codes')
      .set({ lock_version: sql<number>`lock_version + 1` })
      .where('device_authorization_id', '=', id)
      .where('decision', '=', 'pending')
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  async notePoll(
    id: DeviceAuthorizationId,
    { at, interval }: { readonly at: EpochMs; readonly interval: Milliseconds },
  ): Promise<void> {
    await this.#db
      .updateTable('oauth_device_codes')
      .set((row) => ({
        last_polled_at: at,
        poll_interval: interval,
        updated_at: at,
        updated_by: row.ref('client_id'),
      }))
      .where('device_authorization_id', '=', id)
      .execute()
  }

  async approve(id: DeviceAuthorizationId, grant: GrantId, change: Change): Promise<boolean> {
    return await this.#advance(
      id,
      'pending',
      { decision: 'approved', grant_id: grant, live_user_code_hash: null },
      change,
    )
  }

  async deny(id: DeviceAuthorizationId, change: Change): Promise<boolean> {
    return await this.#advance(id, 'pending', { decision: 'denied', live_user_code_hash: null }, change)
  }

  async redeem(id: DeviceAuthorizationId, change: Change): Promise<boolean> {
    return await this.#advance(id, 'approved', { decision: 'redeemed' }, change)
  }

  /** The guarded update that decides races between state changes. */
  async #advance(
    id: DeviceAuthorizationId,
    from: DeviceDecision,
    set: DeviceColumns,
    { at, by }: Change,
  ): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_device_codes')
      .set({ ...set, updated_at: at, updated_by: by })
      .where('device_authorization_id', '=', id)
      .where('decision', '=', from)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }
}

function statusRows(db: Kysely<Database>) {
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

function statusOf(row: DeviceRow): DeviceAuthorizationStatus {
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
