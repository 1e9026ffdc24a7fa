import type { MessageInitShape } from '@bufbuild/protobuf'
import { parseTlsClientSubject } from '../../domain/certificate.ts'
import {
  type Client,
  type ClientRegistration,
  type ClientSecret,
  type AuthenticationMethod as DomainAuthenticationMethod,
  type ClientType as DomainClientType,
  type GrantType as DomainGrantType,
  etagOf,
} from '../../domain/client.ts'
import { clientId } from '../../domain/ids.ts'
import { distinct } from '../../domain/scopes.ts'
import {
  AuthenticationMethod,
  type ClientSchema,
  type ClientSecretInfoSchema,
  ClientType,
  GrantType,
} from '../../gen/qscope/v1/client_pb.ts'
import type { RegisterClientRequest } from '../../gen/qscope/v1/client_service_pb.ts'
import { fromClientConfig, toClientConfig } from './client-config.ts'
import { toTimestamp } from './time.ts'

const CLIENT_TYPES = {
  confidential: ClientType.CONFIDENTIAL,
  public: ClientType.PUBLIC,
} as const satisfies Record<DomainClientType, ClientType>

const AUTHENTICATION_METHODS = {
  client_secret: AuthenticationMethod.CLIENT_SECRET,
  private_key_jwt: AuthenticationMethod.PRIVATE_KEY_JWT,
  tls_client: AuthenticationMethod.TLS_CLIENT,
  none: AuthenticationMethod.NONE,
} as const satisfies Record<DomainAuthenticationMethod, AuthenticationMethod>

const GRANT_TYPES = {
  authorization_code: GrantType.AUTHORIZATION_CODE,
  client_credentials: GrantType.CLIENT_CREDENTIALS,
  refresh_token: GrantType.REFRESH_TOKEN,
  device_code: GrantType.DEVICE_CODE,
  token_exchange: GrantType.TOKEN_EXCHANGE,
  jwt_bearer: GrantType.JWT_BEARER,
} as const satisfies Record<DomainGrantType, GrantType>

/** The domain's word for an enum value; `null` for UNSPECIFIED. */
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

/** In its one spelling; what cannot be read is left for the registration to refuse. */
export function fromTlsClientSubject(value: string | undefined): string | null {
  return value ? (parseTlsClientSubject(value) ?? value) : null
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
    tlsClientSubject: fromTlsClientSubject(request.tlsClientSubject),
    grantTypes: fromGrantTypes(request.grantTypes),
    redirectUris: distinct(request.redirectUris),
    scopes: distinct(request.scopes),
    audiences: distinct(request.audiences),
    resourceAudiences: distinct(request.resourceAudiences).filter((audience) => audience !== id),
    config: fromClientConfig(request.config),
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
  }
}

export function toClientSecretInfo(secret: ClientSecret): MessageInitShape<typeof ClientSecretInfoSchema> {
  return {
    secretId: secret.secretId,
    createTime: toTimestamp(secret.createdAt),
    ...(secret.expiresAt !== null && { expireTime: toTimestamp(secret.expiresAt) }),
    ...(secret.lastUsedAt !== null && { lastUsedTime: toTimestamp(secret.lastUsedAt) }),
  }
}
