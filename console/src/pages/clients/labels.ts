import {
  AccessTokenFormat,
  AuthenticationMethod,
  ClientType,
  GrantType,
} from '../../../../src/gen/qscope/v1/client_pb.ts'

/** How the pages call the values of the contract. */
export const CLIENT_TYPES: Readonly<Record<ClientType, string>> = {
  [ClientType.UNSPECIFIED]: 'not set',
  [ClientType.CONFIDENTIAL]: 'confidential',
  [ClientType.PUBLIC]: 'public',
}

export const AUTHENTICATION_METHODS: Readonly<Record<AuthenticationMethod, string>> = {
  [AuthenticationMethod.UNSPECIFIED]: 'default of the type',
  [AuthenticationMethod.CLIENT_SECRET]: 'client secret',
  [AuthenticationMethod.PRIVATE_KEY_JWT]: 'private key JWT',
  [AuthenticationMethod.TLS_CLIENT]: 'TLS client certificate',
  [AuthenticationMethod.NONE]: 'none',
  [AuthenticationMethod.FEDERATED_JWT]: 'federated JWT',
}

export const GRANT_TYPES: Readonly<Record<GrantType, string>> = {
  [GrantType.UNSPECIFIED]: 'not set',
  [GrantType.AUTHORIZATION_CODE]: 'authorization code',
  [GrantType.CLIENT_CREDENTIALS]: 'client credentials',
  [GrantType.REFRESH_TOKEN]: 'refresh token',
  [GrantType.DEVICE_CODE]: 'device code',
  [GrantType.TOKEN_EXCHANGE]: 'token exchange',
  [GrantType.JWT_BEARER]: 'JWT bearer',
}

export const TOKEN_FORMATS: Readonly<Record<AccessTokenFormat, string>> = {
  [AccessTokenFormat.UNSPECIFIED]: 'default',
  [AccessTokenFormat.OPAQUE]: 'opaque',
  [AccessTokenFormat.JWT]: 'JWT',
  [AccessTokenFormat.IDENTITY_JWT]: 'identity JWT',
}
