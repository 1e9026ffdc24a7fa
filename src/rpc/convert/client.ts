import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { byBytes } from '../../byte-order.ts'
import { parseTlsClientSubject } from '../../domain/certificate.ts'
import {
  type Client,
  type ClientConfig,
  type ClientRegistration,
  type ClientSecret,
  DEFAULT_CLIENT_CONFIG,
  type AccessTokenFormat as DomainAccessTokenFormat,
  type AuthenticationMethod as DomainAuthenticationMethod,
  type ClientType as DomainClientType,
  type GrantType as DomainGrantType,
  etagOf,
  secretEnd,
} from '../../domain/client.ts'
import type { FederatedIdentity } from '../../domain/federated-identity.ts'
import { clientId, type Milliseconds } from '../../domain/ids.ts'
import { distinct } from '../../domain/scopes.ts'
import { exactClaim } from '../../domain/trusted-issuer.ts'
import {
  AccessTokenFormat,
  AuthenticationMethod,
  ClientConfigSchema,
  type ClientSchema,
  type ClientSecretInfoSchema,
  ClientType,
  type ClientConfig as ConfigMessage,
  GrantType,
  type FederatedIdentity as IdentityMessage,
} from '../../gen/qscope/v1/client_pb.ts'
import type { RegisterClientRequest } from '../../gen/qscope/v1/client_service_pb.ts'
import { fromDuration, toDuration, toTimestamp } from './time.ts'

const CLIENT_TYPES = {
  confidential: ClientType.CONFIDENTIAL,
  public: ClientType.PUBLIC,
} as const satisfies Record<DomainClientType, ClientType>

const AUTHENTICATION_METHODS = {
  client_secret: AuthenticationMethod.CLIENT_SECRET,
  private_key_jwt: AuthenticationMethod.PRIVATE_KEY_JWT,
  tls_client: AuthenticationMethod.TLS_CLIENT,
  none: AuthenticationMethod.NONE,
  federated_jwt: AuthenticationMethod.FEDERATED_JWT,
} as const satisfies Record<DomainAuthenticationMethod, AuthenticationMethod>

const ACCESS_TOKEN_FORMATS = {
  opaque: AccessTokenFormat.OPAQUE,
  jwt: AccessTokenFormat.JWT,
  identity_jwt: AccessTokenFormat.IDENTITY_JWT,
} as const satisfies Record<DomainAccessTokenFormat, AccessTokenFormat>

const GRANT_TYPES = {
  authorization_code: GrantType.AUTHORIZATION_CODE,
  client_credentials: GrantType.CLIENT_CREDENTIALS,
  refresh_token: GrantType.REFRESH_TOKEN,
  device_code: GrantType.DEVICE_CODE,
  token_exchange: GrantType.TOKEN_EXCHANGE,
  jwt_bearer: GrantType.JWT_BEARER,
} as const satisfies Record<DomainGrantType, GrantType>

/** The domain value of an enum value; `null` for UNSPECIFIED. */
function wordFor<Word extends string>(table: Readonly<Record<Word, number>>, value: number): Word | null {
  const words = Object.keys(table) as Word[]
  return words.find((word) => table[word] === value) ?? null
}

export function fromClientType(value: ClientType): DomainClientType | null {
  return wordFor(CLIENT_TYPES, value)
}

export function fromGrantTypes(values: readonly GrantType[]): readonly DomainGrantType[] {
  return [...new Set(values)].flatMap((value) => wordFor(GRANT_TYPES, value) ?? [])
}

/** UNSPECIFIED stands for the default of the client's type. */
export function fromAuthenticationMethod(
  value: AuthenticationMethod,
  type: DomainClientType,
): DomainAuthenticationMethod {
  return wordFor(AUTHENTICATION_METHODS, value) ?? (type === 'public' ? 'none' : 'client_secret')
}

/** In canonical form. A value that cannot be parsed is kept, so that the registration refuses it. */
export function fromTlsClientSubject(value: string | undefined): string | null {
  return value ? (parseTlsClientSubject(value) ?? value) : null
}

export function fromFederatedIdentities(messages: readonly IdentityMessage[]): readonly FederatedIdentity[] {
  return Object.freeze(
    messages.map(({ issuer, subject, requiredClaims }) =>
      Object.freeze({
        issuer,
        subject,
        // In one order: a map has none.
        requiredClaims: Object.freeze(
          Object.entries(requiredClaims)
            .sort(([a], [b]) => byBytes(a, b))
            .map(([name, value]) => exactClaim(name, value)),
        ),
      }),
    ),
  )
}

function toFederatedIdentity({ issuer, subject, requiredClaims }: FederatedIdentity) {
  return {
    issuer,
    subject,
    requiredClaims: Object.fromEntries(requiredClaims.map(({ name, value }) => [name, value])),
  }
}

/** `drawId` names a client that did not say how it wants to be called. */
export function fromRegisterClient(request: RegisterClientRequest, drawId: () => string): ClientRegistration {
  const id = clientId(request.clientId ?? drawId())
  const type = fromClientType(request.type) ?? 'confidential'
  return Object.freeze({
    clientId: id,
    displayName: request.displayName || id,
    type,
    authenticationMethod: fromAuthenticationMethod(request.authenticationMethod, type),
    jwks: request.jwks || null,
    jwksUri: request.jwksUri || null,
    tlsClientSubject: fromTlsClientSubject(request.tlsClientSubject),
    federatedIdentities: fromFederatedIdentities(request.federatedIdentities),
    grantTypes: fromGrantTypes(request.grantTypes),
    redirectUris: distinct(request.redirectUris),
    scopes: distinct(request.scopes),
    audiences: distinct(request.audiences),
    resourceAudiences: distinct(request.resourceAudiences).filter((audience) => audience !== id),
    config: fromClientConfig(request.config),
    owner: request.owner || null,
  })
}

export function toClient(client: Client): MessageInitShape<typeof ClientSchema> {
  return {
    clientId: client.clientId,
    displayName: client.displayName,
    type: CLIENT_TYPES[client.type],
    authenticationMethod: AUTHENTICATION_METHODS[client.authenticationMethod],
    grantTypes: client.grantTypes.map((grant) => GRANT_TYPES[grant]),
    redirectUris: [...client.redirectUris],
    scopes: [...client.scopes],
    audiences: [...client.audiences],
    resourceAudiences: [...client.resourceAudiences],
    enabled: client.enabled,
    config: toClientConfig(client.config),
    etag: etagOf(client),
    createTime: toTimestamp(client.createdAt),
    createdBy: client.createdBy,
    updateTime: toTimestamp(client.updatedAt),
    updatedBy: client.updatedBy,
    jwks: client.jwks ?? '',
    tlsClientSubject: client.tlsClientSubject ?? '',
    owner: client.owner ?? '',
    federatedIdentities: client.federatedIdentities.map(toFederatedIdentity),
    jwksUri: client.jwksUri ?? '',
  }
}

export function toClientSecretInfo(secret: ClientSecret): MessageInitShape<typeof ClientSecretInfoSchema> {
  const end = secretEnd(secret)
  return {
    secretId: secret.secretId,
    createTime: toTimestamp(secret.createdAt),
    ...(end !== null && { expireTime: toTimestamp(end) }),
    ...(secret.lastUsedAt !== null && { lastUsedTime: toTimestamp(secret.lastUsedAt) }),
    imported: secret.importedHash !== null,
    madeBySecretId: secret.madeBy ?? '',
  }
}

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

/** Readers of the fields of a message, by contract name. An unset field gets its default. */
const READERS = {
  access_token_ttl: span('accessTokenTtl'),
  refresh_token_ttl: span('refreshTokenTtl'),
  refresh_token_max_lifetime: span('refreshTokenMaxLifetime'),
  authorization_code_ttl: span('authorizationCodeTtl'),
  device_code_ttl: span('deviceCodeTtl'),
  device_poll_interval: span('devicePollInterval'),
  require_pkce: ({ requirePkce = DEFAULT_CLIENT_CONFIG.requirePkce }) => ({ requirePkce }),
  access_token_format: ({ accessTokenFormat = AccessTokenFormat.UNSPECIFIED }) => ({
    accessTokenFormat: wordFor(ACCESS_TOKEN_FORMATS, accessTokenFormat) ?? DEFAULT_CLIENT_CONFIG.accessTokenFormat,
  }),
  max_active_refresh_tokens: ({ maxActiveRefreshTokens = null }) => ({ maxActiveRefreshTokens }),
  max_active_refresh_tokens_per_user: ({ maxActiveRefreshTokensPerUser = null }) => ({ maxActiveRefreshTokensPerUser }),
  max_active_access_tokens: ({ maxActiveAccessTokens = null }) => ({ maxActiveAccessTokens }),
  refresh_token_replay_window: span('refreshTokenReplayWindow'),
  allow_impersonation: ({ allowImpersonation = DEFAULT_CLIENT_CONFIG.allowImpersonation }) => ({ allowImpersonation }),
  allow_own_rotation: ({ allowOwnRotation = DEFAULT_CLIENT_CONFIG.allowOwnRotation }) => ({ allowOwnRotation }),
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

function toClientConfig(config: ClientConfig): MessageInitShape<typeof ClientConfigSchema> {
  const { maxActiveRefreshTokens, maxActiveRefreshTokensPerUser, maxActiveAccessTokens } = config
  return {
    accessTokenTtl: toDuration(config.accessTokenTtl),
    refreshTokenTtl: toDuration(config.refreshTokenTtl),
    refreshTokenMaxLifetime: toDuration(config.refreshTokenMaxLifetime),
    authorizationCodeTtl: toDuration(config.authorizationCodeTtl),
    deviceCodeTtl: toDuration(config.deviceCodeTtl),
    devicePollInterval: toDuration(config.devicePollInterval),
    requirePkce: config.requirePkce,
    accessTokenFormat: ACCESS_TOKEN_FORMATS[config.accessTokenFormat],
    ...(maxActiveRefreshTokens !== null && { maxActiveRefreshTokens }),
    ...(maxActiveRefreshTokensPerUser !== null && { maxActiveRefreshTokensPerUser }),
    ...(maxActiveAccessTokens !== null && { maxActiveAccessTokens }),
    refreshTokenReplayWindow: toDuration(config.refreshTokenReplayWindow),
    allowImpersonation: config.allowImpersonation,
    allowOwnRotation: config.allowOwnRotation,
    metadata: { ...config.metadata },
  }
}
