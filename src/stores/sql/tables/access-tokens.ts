import { type CompiledQuery, type Insertable, type Kysely, type Selectable, sql } from 'kysely'
import type { AccessToken, AccessTokenStatus } from '../../../domain/access-token.ts'
import { hashOf, thumbprintOf } from '../../../domain/certificate.ts'
import {
  type ClientId,
  clientId,
  type GrantId,
  grantId,
  signingKeyId,
  type TokenHash,
  type TokenId,
  tokenId,
  userId,
} from '../../../domain/ids.ts'
import type {
  AccessTokenFilter,
  AccessTokenReads,
  AccessTokenStore,
  EndingToken,
} from '../../contract/access-tokens.ts'
import type { Change, PageRequest, StoreContext } from '../../contract/context.ts'
import type { BatchForm, RepeatedStatement } from '../core/dialect.ts'
import { KeyedUpdate } from '../core/keyed-update.ts'
import { isOneRow, RowInserts } from '../core/prepared-statement.ts'
import {
  hash32,
  hashKey,
  integer,
  integerOrNull,
  jsonObjectOf,
  moment,
  momentOrNull,
  stringList,
  words,
} from '../core/rows.ts'
import type { AccessTokenTable, Database, StoredInt } from '../core/schema.ts'
import type { LastRowsCollector } from './last-rows.ts'
import {
  CLIENT_STATUS,
  type ClientStatusRow,
  clientStatusOf,
  rowByRow,
  tokenPrincipalsAreActive,
  USER_STATUS,
  userStatusOf,
} from './principal-status.ts'
import { type Finder, loadBy, type ReadSource } from './read-source.ts'

type TokenRow = Omit<
  Selectable<AccessTokenTable>,
  'revocation_reason' | 'created_at' | 'created_by' | 'updated_at' | 'updated_by'
>

/** A token and the status of everything it depends on. */
interface StatusRow extends TokenRow, ClientStatusRow {
  readonly client_scopes: string
  /** Null without a user. The columns of the grant are null without a grant. */
  readonly user_active: StoredInt | null
  readonly user_deleted_at: StoredInt | null
  readonly user_token_generation: StoredInt | null
  readonly grant_found: string | null
  readonly grant_revoked_at: StoredInt | null
  readonly signing_key_found: string | null
  readonly signing_key_revoked_at: StoredInt | null
}

/** Each token is read with the status of everything it depends on, in one statement. */
export class SqlAccessTokenReads implements AccessTokenReads {
  readonly #lists: Kysely<Database>
  readonly #byHash: Finder<TokenHash, AccessTokenStatus | null>
  readonly #byId: Finder<TokenId, AccessTokenStatus | null>

  constructor(source: ReadSource) {
    const { db } = source
    this.#lists = source.lists
    this.#byHash = source.finder({
      name: 'access_tokens',
      load: loadBy(
        db,
        (hashes) => statusRows(db).where('oauth_access_tokens.token_hash', 'in', hashes).compile(),
        (rows) => keyed(rows, ({ token }) => hashKey(token.hash)),
      ),
      nameOf: hashKey,
      absent: null,
    })
    this.#byId = source.finder({
      name: 'access_tokens_by_id',
      load: loadBy(
        db,
        (ids) => statusRows(db).where('oauth_access_tokens.token_id', 'in', ids).compile(),
        (rows) => keyed(rows, ({ token }) => token.tokenId),
      ),
      nameOf: String,
      absent: null,
    })
  }

  findByHash({ span }: StoreContext, hash: TokenHash): Promise<AccessTokenStatus | null> {
    return this.#byHash.find(hash, span)
  }

  findById({ span }: StoreContext, id: TokenId): Promise<AccessTokenStatus | null> {
    return this.#byId.find(id, span)
  }

  async page(
    _ctx: StoreContext,
    filter: AccessTokenFilter,
    page: PageRequest<TokenId>,
  ): Promise<readonly AccessTokenStatus[]> {
    const rows = await statusRows(this.#lists)
      .innerJoin(pageIds(this.#lists, filter, page).as('page'), 'page.listed_id', 'oauth_access_tokens.token_id')
      .orderBy('oauth_access_tokens.token_id', 'desc')
      .execute()
    return rows.map(statusOf)
  }

  async countLive(ctx: StoreContext, client: ClientId, most: number): Promise<number> {
    const live = this.#lists
      .selectFrom('oauth_access_tokens')
      .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_access_tokens.client_id')
      .select('oauth_access_tokens.token_id')
      .where('oauth_access_tokens.client_id', '=', client)
      .whereRef('oauth_access_tokens.client_generation', '=', 'oauth_clients.token_generation')
      .where('oauth_access_tokens.expires_at', '>', ctx.now)
      .where('oauth_access_tokens.revoked_at', 'is', null)
      .limit(sql.lit(most))
    const row = await this.#lists
      .selectFrom(live.as('live'))
      .select((rows) => rows.fn.countAll<number>().as('many'))
      .executeTakeFirstOrThrow()
    return integer(row.many, 'many')
  }
}

const NO_ANCESTORS = '[]'

export class SqlAccessTokenStore extends SqlAccessTokenReads implements AccessTokenStore {
  readonly #db: Kysely<Database>
  readonly #last: LastRowsCollector
  readonly #inserts: AccessTokenInserts
  readonly #revoking: KeyedUpdate<Change & { readonly id: TokenId; readonly reason: string }>

  constructor(source: ReadSource, last: LastRowsCollector) {
    super(source)
    const { db } = source
    this.#db = db
    this.#last = last
    this.#inserts = new AccessTokenInserts(db)
    this.#revoking = new KeyedUpdate<Change & { readonly id: TokenId; readonly reason: string }>({
      table: 'oauth_access_tokens',
      key: 'id',
      columns: { id: 'token_id', at: 'revoked_at', reason: 'revocation_reason', by: 'updated_by' },
      build: (value, isRow) =>
        db
          .updateTable('oauth_access_tokens')
          .set({
            revoked_at: value('at'),
            revocation_reason: value('reason'),
            updated_at: value('at'),
            updated_by: value('by'),
          })
          .where(isRow)
          .where('revoked_at', 'is', null),
    })
  }

  async insert(token: AccessToken): Promise<void> {
    await this.#db.executeQuery(this.#inserts.one(token))
  }

  async revoke({ tokenId, expiresAt }: EndingToken, reason: string, { at, by }: Change): Promise<boolean> {
    const revoking = this.#revoking.with({ id: tokenId, reason, at, by })
    if (!isOneRow(await this.#db.executeQuery(revoking))) return false
    this.#last.ended.push({ fact: { kind: 'token', tokenId }, expiresAt })
    return true
  }

  async unexpiredOfGrant(ctx: StoreContext, id: GrantId): Promise<readonly EndingToken[]> {
    const rows = await this.#db
      .selectFrom('oauth_access_tokens')
      .innerJoin('oauth_grants', (join) =>
        join
          .onRef('oauth_grants.grant_id', '=', 'oauth_access_tokens.grant_id')
          .onRef('oauth_grants.client_id', '=', 'oauth_access_tokens.client_id'),
      )
      .select(['oauth_access_tokens.token_id', 'oauth_access_tokens.expires_at'])
      .where('oauth_access_tokens.grant_id', '=', id)
      .where('oauth_access_tokens.ancestors', '=', NO_ANCESTORS)
      .where('oauth_access_tokens.revoked_at', 'is', null)
      .where('oauth_access_tokens.expires_at', '>', ctx.now)
      .orderBy('oauth_access_tokens.token_id')
      .execute()
    return rows.map((row) => ({ tokenId: tokenId(row.token_id), expiresAt: moment(row.expires_at, 'expires_at') }))
  }
}

/** Selects tokens in order until the page is full. */
function pageIds(db: Kysely<Database>, filter: AccessTokenFilter, page: PageRequest<TokenId>) {
  const { clientId, userId, activeAt } = filter
  return db
    .selectFrom('oauth_access_tokens')
    .leftJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_access_tokens.client_id')
    .leftJoin('oauth_users', 'oauth_users.user_id', 'oauth_access_tokens.user_id')
    .leftJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_access_tokens.grant_id')
    .leftJoin('oauth_signing_keys', 'oauth_signing_keys.key_id', 'oauth_access_tokens.signing_key_id')
    .select('oauth_access_tokens.token_id as listed_id')
    .where('oauth_clients.deleted_at', 'is', null)
    .$if(clientId !== null, (query) => query.where('oauth_access_tokens.client_id', '=', clientId ?? ''))
    .$if(userId !== null, (query) => query.where('oauth_access_tokens.user_id', '=', userId))
    .$if(activeAt !== null, (query) =>
      // The condition of `isActive` in SQL.
      query
        .where('oauth_access_tokens.revoked_at', 'is', null)
        .where('oauth_access_tokens.expires_at', '>', activeAt ?? 0)
        .where(rowByRow(tokenPrincipalsAreActive())),
    )
    .$if(page.after !== null, (query) => query.where('oauth_access_tokens.token_id', '<', page.after ?? ''))
    .orderBy('oauth_access_tokens.token_id', 'desc')
    .limit(sql.lit(page.limit))
}

function statusRows(db: Kysely<Database>) {
  return db
    .selectFrom('oauth_access_tokens')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_access_tokens.client_id')
    .leftJoin('oauth_users', 'oauth_users.user_id', 'oauth_access_tokens.user_id')
    .leftJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_access_tokens.grant_id')
    .leftJoin('oauth_signing_keys', 'oauth_signing_keys.key_id', 'oauth_access_tokens.signing_key_id')
    .select([
      'oauth_access_tokens.token_id',
      'oauth_access_tokens.token_hash',
      'oauth_access_tokens.client_id',
      'oauth_access_tokens.subject',
      'oauth_access_tokens.user_id',
      'oauth_access_tokens.grant_id',
      'oauth_access_tokens.scopes',
      'oauth_access_tokens.audiences',
      'oauth_access_tokens.client_generation',
      'oauth_access_tokens.user_generation',
      'oauth_access_tokens.actors',
      'oauth_access_tokens.ancestors',
      'oauth_access_tokens.signing_key_id',
      'oauth_access_tokens.certificate_hash',
      'oauth_access_tokens.extra_claims',
      'oauth_access_tokens.issued_at',
      'oauth_access_tokens.expires_at',
      'oauth_access_tokens.revoked_at',
      'oauth_access_tokens.ray_id',
      'oauth_clients.scopes as client_scopes',
      'oauth_grants.grant_id as grant_found',
      'oauth_grants.revoked_at as grant_revoked_at',
      'oauth_signing_keys.key_id as signing_key_found',
      'oauth_signing_keys.revoked_at as signing_key_revoked_at',
      ...CLIENT_STATUS,
      ...USER_STATUS,
    ])
}

/** Few tokens have additional claims. The statements of the others omit the column. */
export class AccessTokenInserts {
  readonly #plain: RowInserts<Insertable<AccessTokenTable>>
  readonly #withExtra: RowInserts<Insertable<AccessTokenTable>>

  constructor(db: Kysely<Database>) {
    const inserts = () =>
      new RowInserts<Insertable<AccessTokenTable>>(
        (rows) => db.insertInto('oauth_access_tokens').values(rows).compile(),
        (row) => `oauth_access_tokens ${row.token_id}`,
      )
    this.#plain = inserts()
    this.#withExtra = inserts()
  }

  one(token: AccessToken): CompiledQuery {
    return token.extra === null ? this.#plain.one(accessTokenRow(token)) : this.#withExtra.one(rowWithExtra(token))
  }

  of(tokens: readonly AccessToken[]): readonly CompiledQuery[] {
    const { plain, withExtra } = byExtra(tokens)
    return [...this.#plain.of(plain.map(accessTokenRow)), ...this.#withExtra.of(withExtra.map(rowWithExtra))]
  }

  inForm(tokens: readonly AccessToken[], form: BatchForm): readonly RepeatedStatement[] {
    const { plain, withExtra } = byExtra(tokens)
    return [
      ...this.#plain.inForm(plain.map(accessTokenRow), form),
      ...this.#withExtra.inForm(withExtra.map(rowWithExtra), form),
    ]
  }
}

function byExtra(tokens: readonly AccessToken[]) {
  const withExtra = tokens.filter(({ extra }) => extra !== null)
  return { plain: withExtra.length === 0 ? tokens : tokens.filter(({ extra }) => extra === null), withExtra }
}

function rowWithExtra(token: AccessToken): Insertable<AccessTokenTable> {
  return { ...accessTokenRow(token), extra_claims: JSON.stringify(token.extra) }
}

function accessTokenRow(token: AccessToken): Insertable<AccessTokenTable> {
  return {
    token_id: token.tokenId,
    token_hash: token.hash,
    client_id: token.clientId,
    subject: token.subject,
    user_id: token.userId,
    grant_id: token.grantId,
    scopes: token.scopes.join(' '),
    audiences: JSON.stringify(token.audiences),
    client_generation: token.clientGeneration,
    user_generation: token.userGeneration,
    actors: JSON.stringify(token.actors),
    ancestors: JSON.stringify(token.ancestors),
    signing_key_id: token.signingKeyId,
    certificate_hash: token.confirmation === null ? null : hashOf(token.confirmation),
    issued_at: token.issuedAt,
    expires_at: token.expiresAt,
    revoked_at: token.revokedAt,
    ray_id: token.rayId,
    created_at: token.issuedAt,
    created_by: token.clientId,
  }
}

function keyed(
  rows: readonly StatusRow[],
  nameOf: (status: AccessTokenStatus) => string,
): ReadonlyMap<string, AccessTokenStatus> {
  const statuses = new Map<string, AccessTokenStatus>()
  for (const row of rows) {
    const status = statusOf(row)
    statuses.set(nameOf(status), status)
  }
  return statuses
}

function statusOf(row: StatusRow): AccessTokenStatus {
  const { user_active, user_deleted_at, user_token_generation } = row
  return Object.freeze({
    token: Object.freeze({
      tokenId: tokenId(row.token_id),
      hash: hash32(row.token_hash, 'token_hash') as TokenHash,
      clientId: clientId(row.client_id),
      subject: row.subject,
      userId: row.user_id === null ? null : userId(row.user_id),
      grantId: row.grant_id === null ? null : grantId(row.grant_id),
      scopes: words(row.scopes),
      audiences: stringList(row.audiences, 'audiences'),
      clientGeneration: integer(row.client_generation, 'client_generation'),
      userGeneration: integerOrNull(row.user_generation, 'user_generation'),
      actors: stringList(row.actors, 'actors'),
      ancestors: Object.freeze(stringList(row.ancestors, 'ancestors').map(tokenId)),
      signingKeyId: row.signing_key_id === null ? null : signingKeyId(row.signing_key_id),
      confirmation:
        row.certificate_hash === null ? null : thumbprintOf(hash32(row.certificate_hash, 'certificate_hash')),
      extra: row.extra_claims === null ? null : jsonObjectOf(row.extra_claims, 'extra_claims'),
      issuedAt: moment(row.issued_at, 'issued_at'),
      expiresAt: moment(row.expires_at, 'expires_at'),
      revokedAt: momentOrNull(row.revoked_at, 'revoked_at'),
      rayId: row.ray_id,
    }),
    client: Object.freeze({ ...clientStatusOf(row), scopes: words(row.client_scopes) }),
    user:
      user_active === null || user_token_generation === null
        ? null
        : userStatusOf({ user_active, user_deleted_at, user_token_generation }),
    // A missing grant was purged: its tokens are inactive.
    grantRevoked: row.grant_id !== null && (row.grant_found === null || row.grant_revoked_at !== null),
    signingKeyRevoked:
      row.signing_key_id !== null && (row.signing_key_found === null || row.signing_key_revoked_at !== null),
  })
}
