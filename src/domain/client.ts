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

/** Lifetimes and limits of one client; `null` caps nothing. */
export interface ClientConfig {
  readonly accessTokenTtl: Milliseconds
  /** Idle time of one refresh token. */
  readonly refreshTokenTtl: Milliseconds
  /** From the grant; ends it however often it is refreshed. */
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
  /** Whether the client may draw secrets for itself. */
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

/** What a client says of itself at registration (RFC 7591 §2) and may change later, save id and type. */
export interface ClientRegistration {
  readonly clientId: ClientId
  readonly displayName: string
  readonly type: ClientType
  readonly authenticationMethod: AuthenticationMethod
  /** Its public keys (RFC 7517 §5, JSON text), for `private_key_jwt` without `jwksUri`; else `null`. */
  readonly jwks: string | null
  /** Where it publishes its public keys (RFC 7591 §2), for `private_key_jwt` without `jwks`; else `null`. */
  readonly jwksUri: string | null
  /** What its certificate is known by, as `parseTlsClientSubject` spells it, for `tls_client`; else `null`. */
  readonly tlsClientSubject: string | null
  /** The names that it has with trusted issuers, for `federated_jwt`; else empty. */
  readonly federatedIdentities: readonly FederatedIdentity[]
  readonly grantTypes: readonly GrantType[]
  readonly redirectUris: readonly string[]
  /** What it may ask for. */
  readonly scopes: readonly string[]
  /** What it may ask tokens for; empty: none. */
  readonly audiences: readonly string[]
  /** What it answers for as a resource server, beside its own client id. */
  readonly resourceAudiences: readonly string[]
  readonly config: ClientConfig
  /** The mark of the configuration as code that manages it; `null`: none does. */
  readonly owner: string | null
}

/** A registered OAuth client (RFC 6749 §2) as it was read. */
export interface Client extends ClientRegistration {
  readonly enabled: boolean
  /** Grows by one with every change; the etag is made of it. */
  readonly version: number
  /** Tokens made under another generation are inactive. */
  readonly tokenGeneration: number
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly updatedAt: EpochMs
  readonly updatedBy: string
}

/** RFC 6749 §4.4: the grants in which a user has a part, and a refresh token makes sense. */
export function isUserGrant(grant: GrantType): boolean {
  return grant === 'authorization_code' || grant === 'device_code'
}

/** The audiences under which a client is spoken to: its id and what it answers for. */
export function answersFor(client: Client, audience: string): boolean {
  return audience === client.clientId || client.resourceAudiences.includes(audience)
}

/** The version of a client as callers see it; opaque to them. */
export function etagOf(client: Client): string {
  return `v${client.version}`
}

/** One of a client's secrets; several may be valid at once. */
export interface ClientSecret {
  readonly secretId: SecretId
  readonly clientId: ClientId
  /** The pepper it was hashed under. */
  readonly keyId: KeyId
  readonly hash: SecretHash
  /** What another server made of it, instead of `hash`, which then matches nothing; `null`: it was hashed here. */
  readonly importedHash: string | null
  readonly createdAt: EpochMs
  readonly createdBy: string
  /** `null` while it is the current one. */
  readonly expiresAt: EpochMs | null
  /** To the minute; `null` if never. */
  readonly lastUsedAt: EpochMs | null
  /** By which of its secrets the client drew it; `null`: it is one of an administrator's. */
  readonly madeBy: SecretId | null
}

/** How long a hash that another server made is good for. */
const IMPORTED_HASH_LIFETIME = milliseconds(90 * DAY)

/** When a secret stops working; `null`: while it is the current one, never. */
export function secretEnd({ importedHash, createdAt, expiresAt }: ClientSecret): EpochMs | null {
  if (importedHash === null) return expiresAt
  const end = later(createdAt, IMPORTED_HASH_LIFETIME)
  return expiresAt === null || end < expiresAt ? end : expiresAt
}

export function isSecretValid(secret: ClientSecret, now: EpochMs): boolean {
  const end = secretEnd(secret)
  return end === null || now < end
}

/** A secret, and all that were made by it, or by those. */
export function withDescendants(secrets: readonly ClientSecret[], secretId: SecretId): readonly ClientSecret[] {
  const found = new Set([secretId])
  // Clocks of instances differ, so it is not judged by time what comes after what.
  for (let before = 0; before < found.size; ) {
    before = found.size
    for (const { secretId: id, madeBy } of secrets) if (madeBy !== null && found.has(madeBy)) found.add(id)
  }
  return secrets.filter((secret) => found.has(secret.secretId))
}

/**
 * Secrets of a client without those whose maker is gone, or that go back to such a one:
 * a server that knew nothing of makers revoked it, which is meant for all that it made.
 */
export function withoutOrphans(secrets: readonly ClientSecret[]): readonly ClientSecret[] {
  if (secrets.every(({ madeBy }) => madeBy === null)) return secrets
  const origins = secrets.filter(({ madeBy }) => madeBy === null)
  const kept = new Set(origins.flatMap(({ secretId }) => withDescendants(secrets, secretId)))
  return secrets.filter((secret) => kept.has(secret))
}

/** Those that `withoutOrphans` leaves out. They prove nobody any more. */
export function orphansAmong(secrets: readonly ClientSecret[]): readonly ClientSecret[] {
  const kept = new Set(withoutOrphans(secrets))
  return secrets.filter((secret) => !kept.has(secret))
}
