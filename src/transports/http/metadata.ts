import { PERMISSIONS } from '../../domain/scopes.ts'
import type { ClientCertificates } from '../tls.ts'
import type { Endpoint } from './endpoints.ts'
import { type Answer, jsonAnswer } from './exchange/answer.ts'
import { KEY_SET_PATH } from './key-set.ts'
import { DEVICE_AUTHORIZATION_PATH, INTROSPECTION_PATH, REVOCATION_PATH, TOKEN_PATH } from './oauth/endpoints.ts'
import { GrantType } from './oauth/grant-types.ts'

const METADATA_PATH = '/.well-known/oauth-authorization-server'
const OPENID_PATH = '/.well-known/openid-configuration'
const MAX_AGE_S = 300

/** What depends on the configuration. */
export interface ServerCapabilities {
  readonly issuer: string
  /** Whether OAuth's forms are answered. */
  readonly oauth: boolean
  /** Whether assertions of any issuer stand for clients. */
  readonly assertionGrant: boolean
  /** With which assertions may be signed. */
  readonly assertionAlgorithms: readonly string[]
  /** With which this server may sign. */
  readonly signingAlgorithms: readonly string[]
  /** Whether this port asks callers for one. */
  readonly clientCertificates: ClientCertificates
  /** Whether there is a CA that issues them. */
  readonly clientCa: boolean
}

/**
 * What the server supports: for clients of OAuth (RFC 8414), and in the document of
 * OpenID Connect for those who verify its JWTs and look nowhere else, such as cloud
 * providers. `url`: where callers reach this port. The document of an issuer with a
 * path is looked for with that path at the end (RFC 8414 §3.1, §5), that of OpenID
 * Connect with it in front, too (OpenID Connect Discovery 1.0 §4).
 */
export function metadataEndpoints(capabilities: ServerCapabilities, url: () => string): readonly Endpoint[] {
  const { pathname } = new URL(capabilities.issuer)
  // RFC 8414 §3.1: a slash at the end of the issuer is left out.
  const path = pathname.endsWith('/') ? pathname.slice(0, -1) : pathname
  const document = () => metadataOf(capabilities, url())
  const openid = () => ({ ...metadataOf(capabilities, url()), ...openidMembersOf(capabilities) })
  return [
    ...new Set([METADATA_PATH, METADATA_PATH + path]).values().map((each) => new MetadataEndpoint(each, document)),
    ...new Set([OPENID_PATH, OPENID_PATH + path, path + OPENID_PATH])
      .values()
      .map((each) => new MetadataEndpoint(each, openid)),
  ]
}

class MetadataEndpoint implements Endpoint {
  readonly path: string
  readonly #document: () => object

  constructor(path: string, document: () => object) {
    this.path = path
    this.#document = document
  }

  answer(): Answer {
    return { ...jsonAnswer(200, this.#document()), cacheControl: `public, max-age=${MAX_AGE_S}` }
  }
}

/** Without `authorization_endpoint`: codes come from the front-end that owns login and consent, by `CreateAuthorizationCode`. */
function metadataOf(capabilities: ServerCapabilities, url: string) {
  const { issuer, oauth, assertionGrant, assertionAlgorithms, clientCertificates } = capabilities
  return {
    issuer,
    ...(oauth && endpointsOf(capabilities, url)),
    jwks_uri: `${url}${KEY_SET_PATH}`,
    scopes_supported: PERMISSIONS,
    // Of the codes that the front-end hands out for QScope.
    response_types_supported: ['code'],
    grant_types_supported: [
      GrantType.AUTHORIZATION_CODE,
      GrantType.CLIENT_CREDENTIALS,
      GrantType.REFRESH_TOKEN,
      GrantType.DEVICE_CODE,
      GrantType.TOKEN_EXCHANGE,
      ...(assertionGrant ? [GrantType.JWT_BEARER] : []),
    ],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: [...confidentialMethods(capabilities), 'none'],
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    // RFC 8705 §3.3.
    tls_client_certificate_bound_access_tokens: clientCertificates !== 'none',
  }
}

function endpointsOf(capabilities: ServerCapabilities, url: string) {
  const { assertionAlgorithms } = capabilities
  const methods = confidentialMethods(capabilities)
  return {
    token_endpoint: `${url}${TOKEN_PATH}`,
    introspection_endpoint: `${url}${INTROSPECTION_PATH}`,
    // RFC 8414 §2: also the types of access tokens that callers may show instead.
    introspection_endpoint_auth_methods_supported: [...methods, 'Bearer'],
    introspection_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    // RFC 9701 §7.
    introspection_signing_alg_values_supported: capabilities.signingAlgorithms,
    revocation_endpoint: `${url}${REVOCATION_PATH}`,
    revocation_endpoint_auth_methods_supported: [...methods, 'none'],
    revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    // RFC 8628 §4.
    device_authorization_endpoint: `${url}${DEVICE_AUTHORIZATION_PATH}`,
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

/** OpenID Connect Discovery 1.0 §3: what readers of that document ask for, whether they use it or not. */
function openidMembersOf({ signingAlgorithms }: ServerCapabilities) {
  return {
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: signingAlgorithms,
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'act', 'cnf'],
  }
}
