import { type Kysely, type Selectable, sql } from 'kysely'
import type { AuthorizationCode, AuthorizationCodeStatus } from '../../../domain/grant.ts'
import {
  type AuthorizationCodeId,
  authorizationCodeId,
  type EpochMs,
  grantId,
  type TokenHash,
} from '../../../domain/ids.ts'
import type { StoreContext } from '../../contract/context.ts'
import type { AuthorizationCodeReads, AuthorizationCodeStore } from '../../contract/grants.ts'
import { hash32, hashKey, moment, momentOrNull } from '../core/rows.ts'
import type { AuthorizationCodeTable, Database } from '../core/schema.ts'
import { GRANT_STATUS, type GrantStatusRow, grantStatusOf } from './grants.ts'
import { type Finder, loadBy, type ReadSource } from './read-source.ts'

type CodeRow = Omit<Selectable<AuthorizationCodeTable>, 'updated_at' | 'updated_by'> & GrantStatusRow

/** Each code is read with its grant and the status of the grant's client and user, in one statement. */
export class SqlAuthorizationCodeReads implements AuthorizationCodeReads {
  readonly #byHash: Finder<TokenHash, AuthorizationCodeStatus | null>

  constructor(source: ReadSource) {
    const { db } = source
    this.#byHash = source.finder({
      name: 'authorization_codes',
      load: loadBy(
        db,
        (hashes) => statusRows(db).where('oauth_authorization_codes.code_hash', 'in', hashes).compile(),
        (rows) => new Map(rows.map(statusOf).map((status) => [hashKey(status.code.hash), status])),
      ),
      nameOf: hashKey,
      absent: null,
    })
  }

  findByHash({ span }: StoreContext, hash: TokenHash): Promise<AuthorizationCodeStatus | null> {
    return this.#byHash.find(hash, span)
  }
}

export class SqlAuthorizationCodeStore extends SqlAuthorizationCodeReads implements AuthorizationCodeStore {
  readonly #db: Kysely<Database>

  constructor(source: ReadSource) {
    super(source)
    this.#db = source.db
  }

  async insert(code: AuthorizationCode): Promise<void> {
    await this.#db
      .insertInto('oauth_authorization_codes')
      .values({
        code_id: code.codeId,
        code_hash: code.hash,
        grant_id: code.grantId,
        redirect_uri: code.redirectUri,
        code_challenge: code.codeChallenge,
        expires_at: code.expiresAt,
        consumed_at: code.consumedAt,
        ray_id: code.rayId,
        created_at: code.createdAt,
        created_by: code.createdBy,
        updated_at: null,
        updated_by: null,
      })
      .execute()
  }

  async consume(id: AuthorizationCodeId, at: EpochMs): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_authorization_codes')
      .set({
        consumed_at: at,
        updated_at: at,
        // Only the client of the code can spend it.
        updated_by: sql<string>`(select client_id from oauth_grants
          where oauth_grants.grant_id = oauth_authorization_codes.grant_id)`,
      })
      .where('code_id', '=', id)
      .where('consumed_at', 'is', null)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }
}

function statusRows(db: Kysely<Database>) {
  return db
    .selectFrom('oauth_authorization_codes')
    .innerJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_authorization_codes.grant_id')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_grants.client_id')
    .innerJoin('oauth_users', 'oauth_users.user_id', 'oauth_grants.user_id')
    .select([
      'oauth_authorization_codes.code_id',
      'oauth_authorization_codes.code_hash',
      'oauth_authorization_codes.redirect_uri',
      'oauth_authorization_codes.code_challenge',
      'oauth_authorization_codes.expires_at',
      'oauth_authorization_codes.consumed_at',
      'oauth_authorization_codes.ray_id',
      'oauth_authorization_codes.created_at',
      'oauth_authorization_codes.created_by',
      ...GRANT_STATUS,
    ])
}

function statusOf(row: CodeRow): AuthorizationCodeStatus {
  return Object.freeze({
    ...grantStatusOf(row),
    code: Object.freeze({
      codeId: authorizationCodeId(row.code_id),
      hash: hash32(row.code_hash, 'code_hash') as TokenHash,
      grantId: grantId(row.grant_id),
      redirectUri: row.redirect_uri,
      codeChallenge: row.code_challenge,
      createdAt: moment(row.created_at, 'created_at'),
      createdBy: row.created_by,
      expiresAt: moment(row.expires_at, 'expires_at'),
      consumedAt: momentOrNull(row.consumed_at, 'consumed_at'),
      rayId: row.ray_id,
    }),
  })
}
