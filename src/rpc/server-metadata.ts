import { create } from '@bufbuild/protobuf'
import {
  DEVICE_AUTHORIZATION_PATH,
  INTROSPECTION_PATH,
  KEY_SET_PATH,
  REVOCATION_PATH,
  TOKEN_PATH,
} from '../domain/endpoint-paths.ts'
import { GRANT_TYPE_NAMES } from '../domain/grant-type-names.ts'
import { PERMISSIONS } from '../domain/scopes.ts'
import { type GetServerMetadataResponse, GetServerMetadataResponseSchema } from '../gen/qscope/v1/server_service_pb.ts'

/** The parts that depend on the configuration. */
export interface ServerCapabilities {
  readonly issuer: string
  /** Whether the OAuth form endpoints are served. */
  readonly oauth: boolean
  /** The accepted algorithms of assertions. */
  readonly assertionAlgorithms: readonly string[]
  /** The algorithms with which this server may sign. */
  readonly signingAlgorithms: readonly string[]
  /** Whether callers are asked for a certificate. */
  readonly clientCertificates: 'none' | 'request' | 'require'
  /** Whether there is a CA for client certificates. */
  readonly clientCa: boolean
}

/**
 * The server's capabilities (RFC 8414 §2), the same over gRPC and HTTP. There is no `authorization_endpoint`: the front end
 * for login and consent creates codes with `CreateAuthorizationCode`. `url`: the public URL of the HTTP port. `null`: there
 * is none.
 */
export function serverMetadata(capabilities: ServerCapabilities, url: string | null): GetServerMetadataResponse {
  const { issuer, oauth, assertionAlgorithms, clientCertificates } = capabilities
  return create(GetServerMetadataResponseSchema, {
    issuer,
    ...(oauth && url !== null && endpointsOf(capabilities, url)),
    ...(url !== null && { jwksUri: `${url}${KEY_SET_PATH}` }),
    scopesSupported: [...PERMISSIONS],
    // For the codes that the front end issues for QScope.
    responseTypesSupported: ['code'],
    grantTypesSupported: [
      GRANT_TYPE_NAMES.authorization_code,
      GRANT_TYPE_NAMES.client_credentials,
      GRANT_TYPE_NAMES.refresh_token,
      GRANT_TYPE_NAMES.device_code,
      GRANT_TYPE_NAMES.token_exchange,
      // Trusted issuers can be added at any time.
      GRANT_TYPE_NAMES.jwt_bearer,
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
    // RFC 8414 §2: includes the types of access tokens that callers may use instead.
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

/** The authentication methods of confidential clients. */
function confidentialMethods({ clientCertificates, clientCa }: ServerCapabilities): readonly string[] {
  return [
    'client_secret_basic',
    'client_secret_post',
    'private_key_jwt',
    ...(clientCa ? ['tls_client_auth'] : []),
    ...(clientCertificates === 'request' ? ['self_signed_tls_client_auth'] : []),
  ]
}
