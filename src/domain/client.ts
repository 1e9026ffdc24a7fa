import type { FederatedIdentity } from './federated-identity.ts'
import {
  type ClientId,
  type EpochMs,
  type KeyId,
  later,
  type Milliseconds,
  milliseconds,
  type SecretHash,
  type SecretId,
} from './ids.ts'

/** RFC 6749 §2.1. */
export const CLIENT_TYPES = Object.freeze(['confidential', 'public'] as const)
export type ClientType = (typeof CLIENT_TYPES)[number]

/** RFC 7591 §2, `token_endpoint_auth_method`. */
export const AUTHENTICATION_METHODS = Object.freeze([
  'client_secret',
  'private_key_jwt',
  'tls_client',
  'none',
  'federated_jwt',
] as const)
export type AuthenticationMethod = (typeof AUTHENTICATION_METHODS)[number]

export const GRANT_TYPES = Object.freeze([
  'authorization_code',
  'client_credentials',
  'refresh_token',
  'device_code',
  'token_exchange',
  'jwt_bearer',
] as const)
export type GrantType = (typeof GRANT_TYPES)[number]

export const ACCESS_TOKEN_FORMATS = Object.freeze(['opaque', 'jwt', 'identity_jwt'] as const)
export type AccessTokenFormat = (typeof ACCESS_TOKEN_FORMATS)[number]

/** Lifetimes and limits of one client. `null`: no limit. */
export interface ClientConfig {
  readonly accessTokenTtl: Milliseconds
  /** The idle time of one refresh token. */
  readonly refreshTokenTtl: Milliseconds
  /** From the grant. Refreshing does not extend it. */
  readonly refreshTokenMaxLifetime: Milliseconds
  readonly authorizationCodeTtl: Milliseconds
  readonly deviceCodeTtl: Milliseconds
  readonly devicePollInterval: Milliseconds
  readonly requirePkce: boolean
  readonly accessTokenFormat: AccessTokenFormat
  readonly maxActiveRefreshTokens: number | null
  readonly maxActiveRefreshTokensPerUser: number | null
  readonly maxActiveAccessTokens: number | null
  readonly refreshTokenReplayWindow: Milliseconds
  readonly allowImpersonation: boolean
  /** Whether the client may generate secrets for itself. */
  readonly allowOwnRotation: boolean
  readonly metadata: Readonly<Record<string, string>>
}

const SECOND = 1_000
const DAY = 86_400 * SECOND

export const DEFAULT_CLIENT_CONFIG: ClientConfig = Object.freeze({
  accessTokenTtl: milliseconds(3_600 * SECOND),
  refreshTokenTtl: milliseconds(30 * DAY),
  refreshTokenMaxLifetime: milliseconds(90 * DAY),
  authorizationCodeTtl: milliseconds(60 * SECOND),
  deviceCodeTtl: milliseconds(600 * SECOND),
  devicePollInterval: milliseconds(5 * SECOND),
  requirePkce: true,
  accessTokenFormat: 'opaque',
  maxActiveRefreshTokens: null,
  maxActiveRefreshTokensPerUser: null,
  maxActiveAccessTokens: null,
  refreshTokenReplayWindow: milliseconds(10 * SECOND),
  allowImpersonation: false,
  allowOwnRotation: false,
  metadata: Object.freeze({}),
})

/** The metadata of a client at registration (RFC 7591 §2). All but id and type can change later. */
export interface ClientRegistration {
  readonly clientId: ClientId
  readonly displayName: string
  readonly type: ClientType
  readonly authenticationMethod: AuthenticationMethod
  /** Its public keys (RFC 7517 §5, JSON text), for `private_key_jwt` without `jwksUri`. Otherwise `null`. */
  readonly jwks: string | null
  /** The URL of its public keys (RFC 7591 §2), for `private_key_jwt` without `jwks`. Otherwise `null`. */
  readonly jwksUri: string | null
  /** The identifier of its certificate, as `parseTlsClientSubject` spells it, for `tls_client`. Otherwise `null`. */
  readonly tlsClientSubject: string | null
  /** Its names at trusted issuers, for `federated_jwt`. Otherwise empty. */
  readonly federatedIdentities: readonly FederatedIdentity[]
  readonly grantTypes: readonly GrantType[]
  readonly redirectUris: readonly string[]
  /** The scopes that it may request. */
  readonly scopes: readonly string[]
  /** The audiences for which it may request tokens. Empty: none. */
  readonly audiences: readonly string[]
  /** The audiences that it serves as a resource server, in addition to its own client id. */
  readonly resourceAudiences: readonly string[]
  readonly config: ClientConfig
  /** The mark of the configuration as code that manages it. `null`: not managed. */
  readonly owner: string | null
}

/** A registered OAuth client (RFC 6749 §2) as read from the store. */
export interface Client extends ClientRegistration {
  readonly enabled: boolean
  /** Increases by one with every change. The etag is derived from it. */
  readonly version: number
  /** Tokens of another generation are inactive. */
  readonly tokenGeneration: number
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly updatedAt: EpochMs
  readonly updatedBy: string
}

/** RFC 6749 §4.4: whether a grant involves a user. Only then does a refresh token make sense. */
export function isUserGrant(grant: GrantType): boolean {
  return grant === 'authorization_code' || grant === 'device_code'
}

/** Whether a client serves an audience: its own id or one of its resource audiences. */
export function answersFor(client: Client, audience: string): boolean {
  return audience === client.clientId || client.resourceAudiences.includes(audience)
}

/** The version of a client for callers, who must treat it as opaque. */
export function etagOf(client: Client): string {
  return `v${client.version}`
}

/** One of a client's secrets. Several may be valid at once. */
export interface ClientSecret {
  readonly secretId: SecretId
  readonly clientId: ClientId
  /** The pepper of its hash. */
  readonly keyId: KeyId
  readonly hash: SecretHash
  /** A hash made by another server, used instead of `hash`, which then matches nothing. `null`: it was hashed here. */
  readonly importedHash: string | null
  readonly createdAt: EpochMs
  readonly createdBy: string
  /** `null` for the current one. */
  readonly expiresAt: EpochMs | null
  /** To the minute. `null`: never used. */
  readonly lastUsedAt: EpochMs | null
  /** The secret with which the client created this one. `null`: an administrator created it. */
  readonly madeBy: SecretId | null
}

/** The validity of a hash that another server made. */
const IMPORTED_HASH_LIFETIME = milliseconds(90 * DAY)

/** The end of a secret. `null`: it is the current one and does not end. */
export function secretEnd({ importedHash, createdAt, expiresAt }: ClientSecret): EpochMs | null {
  if (importedHash === null) return expiresAt
  const end = later(createdAt, IMPORTED_HASH_LIFETIME)
  return expiresAt === null || end < expiresAt ? end : expiresAt
}

export function isSecretValid(secret: ClientSecret, now: EpochMs): boolean {
  const end = secretEnd(secret)
  return end === null || now < end
}

/** A secret with all its descendants: the secrets created with it or with one of them. */
export function withDescendants(secrets: readonly ClientSecret[], secretId: SecretId): readonly ClientSecret[] {
  const found = new Set([secretId])
  // The clocks of instances differ, so times do not show which secret descends from which.
  for (let before = 0; before < found.size; ) {
    before = found.size
    for (const { secretId: id, madeBy } of secrets) if (madeBy !== null && found.has(madeBy)) found.add(id)
  }
  return secrets.filter((secret) => found.has(secret.secretId))
}

/**
 * A client's secrets without those whose ancestor is missing. A server version without `madeBy` revoked that ancestor alone,
 * but the revocation applies to all its descendants.
 */
export function withoutOrphans(secrets: readonly ClientSecret[]): readonly ClientSecret[] {
  if (secrets.every(({ madeBy }) => madeBy === null)) return secrets
  const origins = secrets.filter(({ madeBy }) => madeBy === null)
  const kept = new Set(origins.flatMap(({ secretId }) => withDescendants(secrets, secretId)))
  return secrets.filter((secret) => kept.has(secret))
}

/** The secrets that `withoutOrphans` removes. They no longer authenticate anybody. */
export function orphansAmong(secrets: readonly ClientSecret[]): readonly ClientSecret[] {
  const kept = new Set(withoutOrphans(secrets))
  return secrets.filter((secret) => !kept.has(secret))
}
