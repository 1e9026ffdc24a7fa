import { create } from '@bufbuild/protobuf'
import {
  DEVICE_AUTHORIZATION_PATH,
  INTROSPECTION_PATH,
  KEY_SET_PATH,
  REVOCATION_PATH,
  TOKEN_PATH,
} from '../domain/endpoint-paths.ts'
import { GrantType } from '../domain/grant-type-names.ts'
import { PERMISSIONS } from '../domain/scopes.ts'
import { type GetServerMetadataResponse, GetServerMetadataResponseSchema } from '../gen/qscope/v1/server_service_pb.ts'

/** What depends on the configuration. */
export interface ServerCapabilities {
  readonly issuer: string
  /** Whether OAuth's forms are answered. */
  readonly oauth: boolean
  /** With which assertions may be signed. */
  readonly assertionAlgorithms: readonly string[]
  /** With which this server may sign. */
  readonly signingAlgorithms: readonly string[]
  /** Whether callers are asked for one. */
  readonly clientCertificates: 'none' | 'request' | 'require'
  /** Whether there is a CA that issues them. */
  readonly clientCa: boolean
}

/**
 * What the server supports (RFC 8414 §2), for callers over gRPC and HTTP alike. Without
 * `authorization_endpoint`: codes come from the front-end that owns login and consent,
 * by `CreateAuthorizationCode`. `url`: where callers reach the HTTP port; `null`: there
 * is none.
 */
export function serverMetadata(capabilities: ServerCapabilities, url: string | null): GetServerMetadataResponse {
  const { issuer, oauth, assertionAlgorithms, clientCertificates } = capabilities
  return create(GetServerMetadataResponseSchema, {
    issuer,
    ...(oauth && url !== null && endpointsOf(capabilities, url)),
    ...(url !== null && { jwksUri: `${url}${KEY_SET_PATH}` }),
    scopesSupported: [...PERMISSIONS],
    // Of the codes that the front-end hands out for QScope.
    responseTypesSupported: ['code'],
    grantTypesSupported: [
      GrantType.AUTHORIZATION_CODE,
      GrantType.CLIENT_CREDENTIALS,
      GrantType.REFRESH_TOKEN,
      GrantType.DEVICE_CODE,
      GrantType.TOKEN_EXCHANGE,
      // Issuers may begin to be trusted at any time.
      GrantType.JWT_BEARER,
    ],
    codeChallengeMethodsSupported: ['S256'],
    tokenEndpointAuthMethodsSupported: [...confidentialMethods(capabilities), 'none'],
    tokenEndpointAuthSigningAlgValuesSupported: [...assertionAlgorithms],
    // RFC 8705 §3.3.
    tlsClientCertificateBoundAccessTokens: clientCertificates !== 'none',
  })
}

function endpointsOf(capabilities: ServerCapabilities, url: string) {
  const algorithms = [...capabilities.assertionAlgorithms]
  const methods = confidentialMethods(capabilities)
  return {
    tokenEndpoint: `${url}${TOKEN_PATH}`,
    introspectionEndpoint: `${url}${INTROSPECTION_PATH}`,
    // RFC 8414 §2: also the types of access tokens that callers may show instead.
    introspectionEndpointAuthMethodsSupported: [...methods, 'Bearer'],
    introspectionEndpointAuthSigningAlgValuesSupported: algorithms,
    // RFC 9701 §7.
    introspectionSigningAlgValuesSupported: [...capabilities.signingAlgorithms],
    revocationEndpoint: `${url}${REVOCATION_PATH}`,
    revocationEndpointAuthMethodsSupported: [...methods, 'none'],
    revocationEndpointAuthSigningAlgValuesSupported: algorithms,
    // RFC 8628 §4.
    deviceAuthorizationEndpoint: `${url}${DEVICE_AUTHORIZATION_PATH}`,
  }
}

/** How confidential clients authenticate. */
function confidentialMethods({ clientCertificates, clientCa }: ServerCapabilities): readonly string[] {
  return [
    'client_secret_basic',
    'client_secret_post',
    'private_key_jwt',
    ...(clientCa ? ['tls_client_auth'] : []),
    ...(clientCertificates === 'request' ? ['self_signed_tls_client_auth'] : []),
  ]
}
