import { type Insertable, type Kysely, type Selectable, sql } from 'kysely'
import type { RefreshToken, RefreshTokenStatus, Replay } from '../../../domain/grant.ts'
import {
  type ClientId,
  clientId,
  type EpochMs,
  epochMs,
  grantId,
  type TokenHash,
  type TokenId,
  tokenId,
  type UserId,
  userId,
} from '../../../domain/ids.ts'
import type { AccessTokenFilter } from '../../contract/access-tokens.ts'
import type { PageRequest, StoreContext } from '../../contract/context.ts'
import type { EndingGrant, RefreshTokenReads, RefreshTokenStore, Rotation } from '../../contract/grants.ts'
import { KeyedUpdate } from '../core/keyed-update.ts'
import { isOneRow, RowInserts } from '../core/prepared-statement.ts'
import { bytes, hash32, hashKey, moment, momentOrNull } from '../core/rows.ts'
import type { Database, RefreshTokenTable } from '../core/schema.ts'
import { GRANT_STATUS, type GrantStatusRow, grantStatusOf } from './grants.ts'
import { grantIsActive, grantMayComeBack, rowByRow } from './principal-status.ts'
import { type Finder, loadBy, type ReadSource } from './read-source.ts'

type TokenRow = Omit<Selectable<RefreshTokenTable>, 'created_at' | 'created_by' | 'updated_at' | 'updated_by'> &
  GrantStatusRow

/** Each token is read with its grant and the status of the grant's client and user, in one statement. */
export class SqlRefreshTokenReads implements RefreshTokenReads {
  readonly #lists: Kysely<Database>
  readonly #byHash: Finder<TokenHash, RefreshTokenStatus | null>
  readonly #byId: Finder<TokenId, RefreshTokenStatus | null>

  constructor(source: ReadSource) {
    const { db } = source
    this.#lists = source.lists
    this.#byHash = source.finder({
      name: 'refresh_tokens',
      load: loadBy(
        db,
        (hashes) => statusRows(db).where('oauth_refresh_tokens.token_hash', 'in', hashes).compile(),
        (rows) => keyed(rows, ({ token }) => hashKey(token.hash)),
      ),
      nameOf: hashKey,
      absent: null,
    })
    this.#byId = source.finder({
      name: 'refresh_tokens_by_id',
      load: loadBy(
        db,
        (ids) => statusRows(db).where('oauth_refresh_tokens.token_id', 'in', ids).compile(),
        (rows) => keyed(rows, ({ token }) => token.tokenId),
      ),
      nameOf: String,
      absent: null,
    })
  }

  findByHash({ span }: StoreContext, hash: TokenHash): Promise<RefreshTokenStatus | null> {
    return this.#byHash.find(hash, span)
  }

  findById({ span }: StoreContext, id: TokenId): Promise<RefreshTokenStatus | null> {
    return this.#byId.find(id, span)
  }

  async page(
    _ctx: StoreContext,
    filter: AccessTokenFilter,
    page: PageRequest<TokenId>,
  ): Promise<readonly RefreshTokenStatus[]> {
    const rows = await statusRows(this.#lists)
      .innerJoin(pageIds(this.#lists, filter, page).as('page'), 'page.listed_id', 'oauth_refresh_tokens.token_id')
      .orderBy('oauth_refresh_tokens.token_id', 'desc')
      .execute()
    return rows.map(statusOf)
  }
}

interface Spending {
  readonly id: TokenId
  readonly at: EpochMs
  readonly successorId: TokenId
  readonly answer: Buffer | null
  readonly until: EpochMs | null
}

export class SqlRefreshTokenStore extends SqlRefreshTokenReads implements RefreshTokenStore {
  readonly #db: Kysely<Database>
  readonly #inserts: RowInserts<Insertable<RefreshTokenTable>>
  readonly #spending: KeyedUpdate<Spending>
  readonly #erasing: KeyedUpdate<{ readonly id: TokenId }>

  constructor(source: ReadSource) {
    super(source)
    const { db } = source
    this.#db = db
    this.#inserts = new RowInserts(
      (rows) => db.insertInto('oauth_refresh_tokens').values(rows).compile(),
      (row) => `oauth_refresh_tokens ${row.token_id}`,
    )
    this.#spending = new KeyedUpdate<Spending>({
      table: 'oauth_refresh_tokens',
      key: 'id',
      columns: {
        id: 'token_id',
        at: 'consumed_at',
        successorId: 'successor_id',
        answer: 'replay_answer',
        until: 'replay_until',
      },
      build: (value, isRow) =>
        db
          .updateTable('oauth_refresh_tokens')
          .set((row) => ({
            consumed_at: value('at'),
            successor_id: value('successorId'),
            replay_answer: value('answer'),
            replay_until: value('until'),
            updated_at: value('at'),
            updated_by: row.ref('client_id'),
          }))
          .where(isRow)
          .where('consumed_at', 'is', null),
    })
    this.#erasing = new KeyedUpdate<{ readonly id: TokenId }>({
      table: 'oauth_refresh_tokens',
      key: 'id',
      columns: { id: 'token_id' },
      build: (_value, isRow) =>
        db.updateTable('oauth_refresh_tokens').set({ replay_answer: null, replay_until: null }).where(isRow),
    })
  }

  async insert(token: RefreshToken): Promise<void> {
    await this.#db.executeQuery(this.#inserts.one(refreshTokenRow(token)))
  }

  async consume(id: TokenId, at: EpochMs, { successorId, replay }: Rotation): Promise<boolean> {
    const values = { id, at, successorId, answer: replay?.answer ?? null, until: replay?.until ?? null }
    return isOneRow(await this.#db.executeQuery(this.#spending.with(values)))
  }

  async eraseReplay(id: TokenId): Promise<void> {
    await this.#db.executeQuery(this.#erasing.with({ id }))
  }

  async spendableGrants(ctx: StoreContext, client: ClientId, user: UserId | null): Promise<readonly EndingGrant[]> {
    const rows = await this.#db
      .selectFrom('oauth_refresh_tokens')
      .innerJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_refresh_tokens.grant_id')
      .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_refresh_tokens.client_id')
      .innerJoin('oauth_users', 'oauth_users.user_id', 'oauth_refresh_tokens.user_id')
      .select((row) => [
        'oauth_refresh_tokens.grant_id',
        'oauth_grants.expires_at',
        row.fn.min('oauth_refresh_tokens.token_id').as('oldest'),
      ])
      .where('oauth_refresh_tokens.client_id', '=', client)
      .where('oauth_refresh_tokens.consumed_at', 'is', null)
      .where('oauth_refresh_tokens.expires_at', '>', ctx.now)
      .where(grantMayComeBack(ctx.now))
      .$if(user !== null, (query) => query.where('oauth_refresh_tokens.user_id', '=', user ?? ''))
      .groupBy(['oauth_refresh_tokens.grant_id', 'oauth_grants.expires_at'])
      .orderBy('oldest')
      .execute()
    return rows.map((row) => ({ grantId: grantId(row.grant_id), expiresAt: moment(row.expires_at, 'expires_at') }))
  }
}

/** Selects tokens in order until the page is full. */
function pageIds(db: Kysely<Database>, filter: AccessTokenFilter, page: PageRequest<TokenId>) {
  const { clientId, userId, activeAt } = filter
  return db
    .selectFrom('oauth_refresh_tokens')
    .leftJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_refresh_tokens.grant_id')
    .leftJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_refresh_tokens.client_id')
    .leftJoin('oauth_users', 'oauth_users.user_id', 'oauth_refresh_tokens.user_id')
    .select('oauth_refresh_tokens.token_id as listed_id')
    .where('oauth_clients.deleted_at', 'is', null)
    .$if(clientId !== null, (query) => query.where('oauth_refresh_tokens.client_id', '=', clientId ?? ''))
    .$if(userId !== null, (query) => query.where('oauth_refresh_tokens.user_id', '=', userId ?? ''))
    .$if(activeAt !== null, (query) =>
      query
        .where('oauth_refresh_tokens.consumed_at', 'is', null)
        .where('oauth_refresh_tokens.expires_at', '>', activeAt ?? 0)
        .where(rowByRow(grantIsActive(activeAt ?? epochMs(0)))),
    )
    .$if(page.after !== null, (query) => query.where('oauth_refresh_tokens.token_id', '<', page.after ?? ''))
    .orderBy('oauth_refresh_tokens.token_id', 'desc')
    .limit(sql.lit(page.limit))
}

function statusRows(db: Kysely<Database>) {
  return db
    .selectFrom('oauth_refresh_tokens')
    .innerJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_refresh_tokens.grant_id')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_refresh_tokens.client_id')
    .innerJoin('oauth_users', 'oauth_users.user_id', 'oauth_refresh_tokens.user_id')
    .select([
      'oauth_refresh_tokens.token_id',
      'oauth_refresh_tokens.token_hash',
      'oauth_refresh_tokens.client_id',
      'oauth_refresh_tokens.user_id',
      'oauth_refresh_tokens.predecessor_id',
      'oauth_refresh_tokens.issued_at',
      'oauth_refresh_tokens.expires_at',
      'oauth_refresh_tokens.consumed_at',
      'oauth_refresh_tokens.successor_id',
      'oauth_refresh_tokens.replay_answer',
      'oauth_refresh_tokens.replay_until',
      'oauth_refresh_tokens.ray_id',
      ...GRANT_STATUS,
    ])
}

function refreshTokenRow(token: RefreshToken): Insertable<RefreshTokenTable> {
  return {
    token_id: token.tokenId,
    token_hash: token.hash,
    grant_id: token.grantId,
    client_id: token.clientId,
    user_id: token.userId,
    predecessor_id: token.predecessorId,
    issued_at: token.issuedAt,
    expires_at: token.expiresAt,
    consumed_at: token.consumedAt,
    successor_id: token.successorId,
    replay_answer: token.replay?.answer ?? null,
    replay_until: token.replay?.until ?? null,
    ray_id: token.rayId,
    created_at: token.issuedAt,
    created_by: token.clientId,
  }
}

function keyed(
  rows: readonly TokenRow[],
  nameOf: (status: RefreshTokenStatus) => string,
): ReadonlyMap<string, RefreshTokenStatus> {
  return new Map(rows.map(statusOf).map((status) => [nameOf(status), status]))
}

function statusOf(row: TokenRow): RefreshTokenStatus {
  const token: RefreshToken = Object.freeze({
    tokenId: tokenId(row.token_id),
    hash: hash32(row.token_hash, 'token_hash') as TokenHash,
    grantId: grantId(row.grant_id),
    clientId: clientId(row.client_id),
    userId: userId(row.user_id),
    predecessorId: row.predecessor_id === null ? null : tokenId(row.predecessor_id),
    issuedAt: moment(row.issued_at, 'issued_at'),
    expiresAt: moment(row.expires_at, 'expires_at'),
    consumedAt: momentOrNull(row.consumed_at, 'consumed_at'),
    successorId: row.successor_id === null ? null : tokenId(row.successor_id),
    replay: replayOf(row),
    rayId: row.ray_id,
  })
  return Object.freeze({ ...grantStatusOf(row), token })
}

function replayOf({ replay_answer, replay_until }: TokenRow): Replay | null {
  if (replay_answer === null || replay_until === null) return null
  return Object.freeze({ answer: bytes(replay_answer, 'replay_answer'), until: moment(replay_until, 'replay_until') })
}
