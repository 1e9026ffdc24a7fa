import type { Insertable, Kysely, Selectable } from 'kysely'
import { ACCESS_TOKEN_FORMATS, type ClientConfig } from '../../../domain/client.ts'
import { type ClientId, milliseconds } from '../../../domain/ids.ts'
import type { Change } from '../../contract/context.ts'
import { asFlag, flag, integer, integerOrNull, oneOf, stringMap } from '../core/rows.ts'
import type { ClientConfigTable, Database } from '../core/schema.ts'

/** The columns with which a client is read. */
export const CONFIG_COLUMNS = [
  'oauth_client_configs.access_token_ttl',
  'oauth_client_configs.refresh_token_ttl',
  'oauth_client_configs.refresh_token_max_lifetime',
  'oauth_client_configs.authorization_code_ttl',
  'oauth_client_configs.device_code_ttl',
  'oauth_client_configs.device_poll_interval',
  'oauth_client_configs.require_pkce',
  'oauth_client_configs.access_token_format',
  'oauth_client_configs.max_active_refresh_tokens',
  'oauth_client_configs.max_active_refresh_tokens_per_user',
  'oauth_client_configs.max_active_access_tokens',
  'oauth_client_configs.refresh_token_replay_window',
  'oauth_client_configs.allow_impersonation',
  'oauth_client_configs.allow_own_rotation',
  'oauth_client_configs.metadata',
] as const

type ConfigColumns = Omit<ClientConfigTable, 'client_id' | 'created_at' | 'created_by' | 'updated_at' | 'updated_by'>

export function configOf(row: Selectable<ConfigColumns>): ClientConfig {
  const span = (column: keyof ConfigColumns) => milliseconds(integer(row[column], column))
  return Object.freeze({
    accessTokenTtl: span('access_token_ttl'),
    refreshTokenTtl: span('refresh_token_ttl'),
    refreshTokenMaxLifetime: span('refresh_token_max_lifetime'),
    authorizationCodeTtl: span('authorization_code_ttl'),
    deviceCodeTtl: span('device_code_ttl'),
    devicePollInterval: span('device_poll_interval'),
    requirePkce: flag(row.require_pkce, 'require_pkce'),
    accessTokenFormat: oneOf(row.access_token_format, ACCESS_TOKEN_FORMATS, 'access_token_format'),
    maxActiveRefreshTokens: integerOrNull(row.max_active_refresh_tokens, 'max_active_refresh_tokens'),
    maxActiveRefreshTokensPerUser: integerOrNull(
      row.max_active_refresh_tokens_per_user,
      'max_active_refresh_tokens_per_user',
    ),
    maxActiveAccessTokens: integerOrNull(row.max_active_access_tokens, 'max_active_access_tokens'),
    refreshTokenReplayWindow: span('refresh_token_replay_window'),
    allowImpersonation: flag(row.allow_impersonation, 'allow_impersonation'),
    allowOwnRotation: flag(row.allow_own_rotation, 'allow_own_rotation'),
    metadata: stringMap(row.metadata, 'metadata'),
  })
}

export async function insertConfig(
  db: Kysely<Database>,
  clientId: ClientId,
  config: ClientConfig,
  { at, by }: Change,
): Promise<void> {
  await db
    .insertInto('oauth_client_configs')
    .values({
      client_id: clientId,
      ...configRow(config),
      created_at: at,
      created_by: by,
      updated_at: at,
      updated_by: by,
    })
    .execute()
}

export async function updateConfig(
  db: Kysely<Database>,
  clientId: ClientId,
  config: ClientConfig,
  { at, by }: Change,
): Promise<void> {
  await db
    .updateTable('oauth_client_configs')
    .set({ ...configRow(config), updated_at: at, updated_by: by })
    .where('client_id', '=', clientId)
    .execute()
}

export async function deleteConfig(db: Kysely<Database>, clientId: ClientId): Promise<void> {
  await db.deleteFrom('oauth_client_configs').where('client_id', '=', clientId).execute()
}

function configRow(config: ClientConfig): Insertable<ConfigColumns> {
  return {
    access_token_ttl: config.accessTokenTtl,
    refresh_token_ttl: config.refreshTokenTtl,
    refresh_token_max_lifetime: config.refreshTokenMaxLifetime,
    authorization_code_ttl: config.authorizationCodeTtl,
    device_code_ttl: config.deviceCodeTtl,
    device_poll_interval: config.devicePollInterval,
    require_pkce: asFlag(config.requirePkce),
    access_token_format: config.accessTokenFormat,
    max_active_refresh_tokens: config.maxActiveRefreshTokens,
    max_active_refresh_tokens_per_user: config.maxActiveRefreshTokensPerUser,
    max_active_access_tokens: config.maxActiveAccessTokens,
    refresh_token_replay_window: config.refreshTokenReplayWindow,
    allow_impersonation: asFlag(config.allowImpersonation),
    allow_own_rotation: asFlag(config.allowOwnRotation),
    metadata: JSON.stringify(config.metadata),
  }
}
