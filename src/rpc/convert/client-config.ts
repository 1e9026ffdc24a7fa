import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type ClientConfig, DEFAULT_CLIENT_CONFIG } from '../../domain/client.ts'
import type { Milliseconds } from '../../domain/ids.ts'
import {
  AccessTokenFormat,
  ClientConfigSchema,
  type ClientConfig as ConfigMessage,
} from '../../gen/qscope/v1/client_pb.ts'
import { fromDuration, toDuration } from './time.ts'

type Reader = (message: ConfigMessage) => Partial<ClientConfig>
type SpanField = {
  [Key in keyof ClientConfig]: ClientConfig[Key] extends Milliseconds ? Key : never
}[keyof ClientConfig]

function span(field: SpanField): Reader {
  return (message) => {
    const value = message[field]
    return { [field]: value === undefined ? DEFAULT_CLIENT_CONFIG[field] : fromDuration(value) }
  }
}

/** How each field is read from a message, by its name in the contract; one that is unset takes its default. */
const READERS = {
  access_token_ttl: span('accessTokenTtl'),
  refresh_token_ttl: span('refreshTokenTtl'),
  refresh_token_max_lifetime: span('refreshTokenMaxLifetime'),
  authorization_code_ttl: span('authorizationCodeTtl'),
  device_code_ttl: span('deviceCodeTtl'),
  device_poll_interval: span('devicePollInterval'),
  require_pkce: ({ requirePkce = DEFAULT_CLIENT_CONFIG.requirePkce }) => ({ requirePkce }),
  access_token_format: ({ accessTokenFormat }) => ({
    accessTokenFormat: accessTokenFormat === AccessTokenFormat.JWT ? 'jwt' : 'opaque',
  }),
  max_active_refresh_tokens: ({ maxActiveRefreshTokens = null }) => ({ maxActiveRefreshTokens }),
  max_active_refresh_tokens_per_user: ({ maxActiveRefreshTokensPerUser = null }) => ({ maxActiveRefreshTokensPerUser }),
  max_active_access_tokens: ({ maxActiveAccessTokens = null }) => ({ maxActiveAccessTokens }),
  refresh_token_replay_window: span('refreshTokenReplayWindow'),
  allow_impersonation: ({ allowImpersonation = DEFAULT_CLIENT_CONFIG.allowImpersonation }) => ({ allowImpersonation }),
  metadata: ({ metadata }) => ({ metadata: { ...metadata } }),
} as const satisfies Record<string, Reader>

const BY_NAME: ReadonlyMap<string, Reader> = new Map(Object.entries(READERS))

export function isConfigField(name: string): boolean {
  return BY_NAME.has(name)
}

/** The named fields of a message, defaults where unset. */
export function readConfigFields(message: ConfigMessage | undefined, names: Iterable<string>): Partial<ClientConfig> {
  const source = message ?? create(ClientConfigSchema)
  return Object.assign({}, ...[...names].map((name) => BY_NAME.get(name)?.(source) ?? {}))
}

/** A whole config: what the message sets, and defaults. */
export function fromClientConfig(message: ConfigMessage | undefined): ClientConfig {
  return Object.freeze({ ...DEFAULT_CLIENT_CONFIG, ...readConfigFields(message, BY_NAME.keys()) })
}

export function toClientConfig(config: ClientConfig): MessageInitShape<typeof ClientConfigSchema> {
  const { maxActiveRefreshTokens, maxActiveRefreshTokensPerUser, maxActiveAccessTokens } = config
  return {
    accessTokenTtl: toDuration(config.accessTokenTtl),
    refreshTokenTtl: toDuration(config.refreshTokenTtl),
    refreshTokenMaxLifetime: toDuration(config.refreshTokenMaxLifetime),
    authorizationCodeTtl: toDuration(config.authorizationCodeTtl),
    deviceCodeTtl: toDuration(config.deviceCodeTtl),
    devicePollInterval: toDuration(config.devicePollInterval),
    requirePkce: config.requirePkce,
    accessTokenFormat: config.accessTokenFormat === 'jwt' ? AccessTokenFormat.JWT : AccessTokenFormat.OPAQUE,
    ...(maxActiveRefreshTokens !== null && { maxActiveRefreshTokens }),
    ...(maxActiveRefreshTokensPerUser !== null && { maxActiveRefreshTokensPerUser }),
    ...(maxActiveAccessTokens !== null && { maxActiveAccessTokens }),
    refreshTokenReplayWindow: toDuration(config.refreshTokenReplayWindow),
    allowImpersonation: config.allowImpersonation,
    metadata: { ...config.metadata },
  }
}
