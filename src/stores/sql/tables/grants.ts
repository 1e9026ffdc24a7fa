import { type Kysely, sql } from 'kysely'
import type { Grant, GrantStatus } from '../../../domain/grant.ts'
import { clientId, type EpochMs, epochMs, type GrantId, grantId, userId } from '../../../domain/ids.ts'
import type { Change, PageRequest, StoreContext } from '../../contract/context.ts'
import type { EndingGrant, GrantFilter, GrantReads, GrantStore } from '../../contract/grants.ts'
import { KeyedUpdate } from '../core/keyed-update.ts'
import { isOneRow, padded } from '../core/prepared-statement.ts'
import { integer, moment, momentOrNull, stringList, words } from '../core/rows.ts'
import type { Database, StoredInt } from '../core/schema.ts'
import type { LastRowsCollector } from './last-rows.ts'
import {
  CLIENT_STATUS,
  type ClientStatusRow,
  clientStatusOf,
  grantIsActive,
  rowByRow,
  USER_STATUS,
  type UserStatusRow,
  userStatusOf,
} from './principal-status.ts'
import type { ReadSource } from './read-source.ts'

/** The columns of a grant and of the status of its client and user, where they are joined to its codes and tokens. */
export const GRANT_STATUS = [
  'oauth_grants.grant_id',
  'oauth_grants.client_id as grant_client_id',
  'oauth_grants.user_id as grant_user_id',
  'oauth_grants.scopes as grant_scopes',
  'oauth_grants.audiences as grant_audiences',
  'oauth_grants.client_generation as grant_client_generation',
  'oauth_grants.user_generation as grant_user_generation',
  'oauth_grants.created_at as grant_created_at',
  'oauth_grants.created_by as grant_created_by',
  'oauth_grants.expires_at as grant_expires_at',
  'oauth_grants.tokens_until as grant_tokens_until',
  'oauth_grants.revoked_at as grant_revoked_at',
  'oauth_grants.ray_id as grant_ray_id',
  ...CLIENT_STATUS,
  ...USER_STATUS,
] as const

export interface GrantStatusRow extends ClientStatusRow, UserStatusRow {
  readonly grant_id: string
  readonly grant_client_id: string
  readonly grant_user_id: string
  readonly grant_scopes: string
  readonly grant_audiences: string
  readonly grant_client_generation: StoredInt
  readonly grant_user_generation: StoredInt
  readonly grant_created_at: StoredInt
  readonly grant_created_by: string
  readonly grant_expires_at: StoredInt
  readonly grant_tokens_until: StoredInt
  readonly grant_revoked_at: StoredInt | null
  readonly grant_ray_id: string
}

export class SqlGrantReads implements GrantReads {
  readonly #db: Kysely<Database>
  readonly #lists: Kysely<Database>

  constructor({ db, lists }: Pick<ReadSource, 'db' | 'lists'>) {
    this.#db = db
    this.#lists = lists
  }

  async find(_ctx: StoreContext, id: GrantId): Promise<GrantStatus | null> {
    const row = await statusRows(this.#db).where('oauth_grants.grant_id', '=', id).executeTakeFirst()
    return row === undefined ? null : Object.freeze(grantStatusOf(row))
  }

  async page(_ctx: StoreContext, filter: GrantFilter, page: PageRequest<GrantId>): Promise<readonly GrantStatus[]> {
    const rows = await statusRows(this.#lists)
      .innerJoin(pageIds(this.#lists, filter, page).as('page'), 'page.listed_id', 'oauth_grants.grant_id')
      .orderBy('oauth_grants.grant_id', 'desc')
      .execute()
    return rows.map((row) => Object.freeze(grantStatusOf(row)))
  }
}

function statusRows(db: Kysely<Database>) {
  return db
    .selectFrom('oauth_grants')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_grants.client_id')
    .innerJoin('oauth_users', 'oauth_users.user_id', 'oauth_grants.user_id')
    .select(GRANT_STATUS)
}

/** The ids of a page, selected before the rows are joined. */
function pageIds(db: Kysely<Database>, { clientId, userId, activeAt }: GrantFilter, page: PageRequest<GrantId>) {
  return db
    .selectFrom('oauth_grants')
    .leftJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_grants.client_id')
    .leftJoin('oauth_users', 'oauth_users.user_id', 'oauth_grants.user_id')
    .select('oauth_grants.grant_id as listed_id')
    .where('oauth_clients.deleted_at', 'is', null)
    .$if(clientId !== null, (query) => query.where('oauth_grants.client_id', '=', clientId ?? ''))
    .$if(userId !== null, (query) => query.where('oauth_grants.user_id', '=', userId ?? ''))
    .$if(activeAt !== null, (query) => query.where(rowByRow(grantIsActive(activeAt ?? epochMs(0)))))
    .$if(page.after !== null, (query) => query.where('oauth_grants.grant_id', '<', page.after ?? ''))
    .orderBy('oauth_grants.grant_id', 'desc')
    .limit(sql.lit(page.limit))
}

export class SqlGrantStore extends SqlGrantReads implements GrantStore {
  readonly #db: Kysely<Database>
  readonly #last: LastRowsCollector
  readonly #locking: KeyedUpdate<{ readonly id: GrantId; readonly tokensUntil: EpochMs }>

  constructor(source: Pick<ReadSource, 'db' | 'lists'>, last: LastRowsCollector) {
    super(source)
    const { db } = source
    this.#db = db
    this.#last = last
    this.#locking = new KeyedUpdate<{ readonly id: GrantId; readonly tokensUntil: EpochMs }>({
      table: 'oauth_grants',
      key: 'id',
      columns: { id: 'grant_id', tokensUntil: 'tokens_until' },
      build: (value, isRow) => {
        const until = value('tokensUntil')
        return db
          .updateTable('oauth_grants')
          .set({
            lock_version: sql<number>`lock_version + 1`,
            tokens_until: sql<number>`case when tokens_until < ${until} then ${until} else tokens_until end`,
          })
          .where(isRow)
          .where('revoked_at', 'is', null)
      },
    })
  }

  async insert(grant: Grant): Promise<void> {
    await this.#db.insertInto('oauth_grants').values(grantRow(grant)).execute()
  }

  async revoke({ grantId, expiresAt }: EndingGrant, reason: string, { at, by }: Change): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_grants')
      .set({ revoked_at: at, revocation_reason: reason, updated_at: at, updated_by: by })
      .where('grant_id', '=', grantId)
      .where('revoked_at', 'is', null)
      .executeTakeFirst()
    if (result.numUpdatedRows !== 1n) return false
    this.#last.ended.push({ fact: { kind: 'grant', grantId }, expiresAt })
    return true
  }

  async lock(id: GrantId, tokensUntil: EpochMs): Promise<boolean> {
    return isOneRow(await this.#db.executeQuery(this.#locking.with({ id, tokensUntil })))
  }
}

export function grantStatusOf(row: GrantStatusRow): GrantStatus {
  return {
    grant: Object.freeze({
      grantId: grantId(row.grant_id),
      clientId: clientId(row.grant_client_id),
      userId: userId(row.grant_user_id),
      scopes: words(row.grant_scopes),
      audiences: stringList(row.grant_audiences, 'audiences'),
      clientGeneration: integer(row.grant_client_generation, 'client_generation'),
      userGeneration: integer(row.grant_user_generation, 'user_generation'),
      createdAt: moment(row.grant_created_at, 'created_at'),
      createdBy: row.grant_created_by,
      expiresAt: moment(row.grant_expires_at, 'expires_at'),
      tokensUntil: moment(row.grant_tokens_until, 'tokens_until'),
      revokedAt: momentOrNull(row.grant_revoked_at, 'revoked_at'),
      rayId: row.grant_ray_id,
    }),
    client: clientStatusOf(row),
    user: userStatusOf(row),
  }
}

function grantRow(grant: Grant) {
  return {
    grant_id: grant.grantId,
    client_id: grant.clientId,
    user_id: grant.userId,
    scopes: grant.scopes.join(' '),
    audiences: JSON.stringify(grant.audiences),
    client_generation: grant.clientGeneration,
    user_generation: grant.userGeneration,
    expires_at: grant.expiresAt,
    tokens_until: grant.tokensUntil,
    revoked_at: grant.revokedAt,
    revocation_reason: null,
    lock_version: 0,
    ray_id: grant.rayId,
    created_at: grant.createdAt,
    created_by: grant.createdBy,
    updated_at: null,
    updated_by: null,
  }
}

/**
 * Deletes at most `limit` rows of grants that ended before a moment: first their codes and tokens, then the grant once
 * nothing references it. A family with many spent tokens takes several calls.
 */
export async function deleteGrants(
  db: Kysely<Database>,
  candidates: readonly GrantId[],
  before: EpochMs,
  limit: number,
): Promise<number> {
  const grants = await lockEnded(db, candidates, before)
  if (grants.length === 0) return 0
  const locked = padded(grants)
  let room = limit

  const codes = await db
    .selectFrom('oauth_authorization_codes')
    .select('code_id')
    .where('grant_id', 'in', locked)
    .limit(sql.lit(room))
    .execute()
  if (codes.length > 0) {
    const ids = padded(codes.map((row) => row.code_id))
    await db.deleteFrom('oauth_authorization_codes').where('code_id', 'in', ids).execute()
    room -= codes.length
  }
  const refreshTokens = await db
    .selectFrom('oauth_refresh_tokens')
    .select('token_id')
    .where('grant_id', 'in', locked)
    .limit(sql.lit(room))
    .execute()
  if (refreshTokens.length > 0) {
    const ids = padded(refreshTokens.map((row) => row.token_id))
    await db.deleteFrom('oauth_refresh_tokens').where('token_id', 'in', ids).execute()
    room -= refreshTokens.length
  }
  const accessTokens = await db
    .selectFrom('oauth_access_tokens')
    .select('token_id')
    .where('grant_id', 'in', locked)
    .where('expires_at', '<', before)
    .limit(sql.lit(room))
    .execute()
  if (accessTokens.length > 0) {
    const ids = padded(accessTokens.map((row) => row.token_id))
    await db.deleteFrom('oauth_access_tokens').where('token_id', 'in', ids).execute()
    room -= accessTokens.length
  }
  // If the limit was not reached, all dependent rows were found.
  const bare = grants.slice(0, room)
  if (bare.length > 0) await db.deleteFrom('oauth_grants').where('grant_id', 'in', padded(bare)).execute()
  return limit - room + bare.length
}

/** Locks the rows of grants that no call has extended since the search. */
async function lockEnded(
  db: Kysely<Database>,
  candidates: readonly GrantId[],
  before: EpochMs,
): Promise<readonly GrantId[]> {
  if (candidates.length === 0) return []
  const ids = padded(candidates)
  await db
    .updateTable('oauth_grants')
    .set({ lock_version: sql<number>`lock_version + 1` })
    .where('grant_id', 'in', ids)
    .where('tokens_until', '<', before)
    .execute()
  const rows = await db
    .selectFrom('oauth_grants')
    .select('grant_id')
    .where('grant_id', 'in', ids)
    .where('tokens_until', '<', before)
    .execute()
  return rows.map((row) => grantId(row.grant_id))
}
