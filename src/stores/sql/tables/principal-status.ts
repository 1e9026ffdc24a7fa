import { type Expression, expressionBuilder, type SqlBool, sql } from 'kysely'
import type { PrincipalStatus } from '../../../domain/grant.ts'
import type { EpochMs } from '../../../domain/ids.ts'
import { flag, integer } from '../core/rows.ts'
import type { Database, StoredInt } from '../core/schema.ts'

/** The columns of a joined client's status. */
export const CLIENT_STATUS = [
  'oauth_clients.enabled as client_enabled',
  'oauth_clients.deleted_at as client_deleted_at',
  'oauth_clients.token_generation as client_token_generation',
] as const

/** The columns of a joined user's status. */
export const USER_STATUS = [
  'oauth_users.active as user_active',
  'oauth_users.deleted_at as user_deleted_at',
  'oauth_users.token_generation as user_token_generation',
] as const

export interface ClientStatusRow {
  readonly client_enabled: StoredInt
  readonly client_deleted_at: StoredInt | null
  readonly client_token_generation: StoredInt
}

export interface UserStatusRow {
  readonly user_active: StoredInt
  readonly user_deleted_at: StoredInt | null
  readonly user_token_generation: StoredInt
}

export function clientStatusOf(row: ClientStatusRow): PrincipalStatus {
  return Object.freeze({
    active: flag(row.client_enabled, 'enabled') && row.client_deleted_at === null,
    tokenGeneration: integer(row.client_token_generation, 'token_generation'),
  })
}

export function userStatusOf(row: UserStatusRow): PrincipalStatus {
  return Object.freeze({
    active: flag(row.user_active, 'active') && row.user_deleted_at === null,
    tokenGeneration: integer(row.user_token_generation, 'token_generation'),
  })
}

/** The condition of `isGrantActive` in SQL, for a grant joined with its client and user. */
export function grantIsActive(at: EpochMs): Expression<SqlBool> {
  const all = expressionBuilder<Database, 'oauth_grants' | 'oauth_clients' | 'oauth_users'>()
  return all.and([grantMayComeBack(at), all('oauth_clients.enabled', '=', 1), all('oauth_users.active', '=', 1)])
}

/** A grant has not ended: it is active, or becomes active when its client is enabled and its user reactivated. */
export function grantMayComeBack(at: EpochMs): Expression<SqlBool> {
  const all = expressionBuilder<Database, 'oauth_grants' | 'oauth_clients' | 'oauth_users'>()
  return all.and([
    all('oauth_grants.revoked_at', 'is', null),
    all('oauth_grants.expires_at', '>', at),
    all('oauth_clients.deleted_at', 'is', null),
    all('oauth_clients.token_generation', '=', all.ref('oauth_grants.client_generation')),
    all('oauth_users.deleted_at', 'is', null),
    all('oauth_users.token_generation', '=', all.ref('oauth_grants.user_generation')),
  ])
}

/** The condition of `isActive` on a token's grant, signing key, client and user, in SQL. They are joined if present. */
export function tokenPrincipalsAreActive(): Expression<SqlBool> {
  const all = expressionBuilder<
    Database,
    'oauth_access_tokens' | 'oauth_grants' | 'oauth_clients' | 'oauth_users' | 'oauth_signing_keys'
  >()
  return all.and([
    all('oauth_clients.enabled', '=', 1),
    all('oauth_clients.deleted_at', 'is', null),
    all('oauth_clients.token_generation', '=', all.ref('oauth_access_tokens.client_generation')),
    all.or([
      all('oauth_access_tokens.grant_id', 'is', null),
      all.and([all('oauth_grants.grant_id', 'is not', null), all('oauth_grants.revoked_at', 'is', null)]),
    ]),
    all.or([
      all('oauth_access_tokens.signing_key_id', 'is', null),
      all.and([all('oauth_signing_keys.key_id', 'is not', null), all('oauth_signing_keys.revoked_at', 'is', null)]),
    ]),
    all.or([
      all('oauth_access_tokens.user_generation', 'is', null),
      all.and([
        all('oauth_users.active', '=', 1),
        all('oauth_users.deleted_at', 'is', null),
        all('oauth_users.token_generation', '=', all.ref('oauth_access_tokens.user_generation')),
      ]),
    ]),
  ])
}

/**
 * A condition on left-joined rows that is evaluated row by row. As a plain condition, a database would start from the
 * matching clients or users and sort all their rows for one page.
 */
export function rowByRow(condition: Expression<SqlBool>): Expression<SqlBool> {
  return sql<SqlBool>`case when ${condition} then 1 else 0 end = 1`
}
