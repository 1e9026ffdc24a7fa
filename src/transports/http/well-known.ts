import { create, toJson } from '@bufbuild/protobuf'
import { PERMISSIONS } from '../../domain/scopes.ts'
import { JsonWebKeySchema } from '../../gen/qscope/v1/json_web_key_pb.ts'
import {
  GetJsonWebKeySetRequestSchema,
  type GetJsonWebKeySetResponse,
  TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import type { ClientCertificates } from '../tls.ts'
import type { Endpoint } from './endpoints.ts'
import type { Answer } from './exchange/answer.ts'
import type { HttpCallInfo } from './exchange/http-call-info.ts'
import { toOAuthRefusal } from './oauth/refusal.ts'

const KEY_SET_PATH = '/.well-known/jwks.json'

/** RFC 7517 §5: what `GetJsonWebKeySet` answers, for verifiers that know HTTP only. */
export class KeySetEndpoint implements Endpoint {
  readonly path = KEY_SET_PATH
  readonly #pipeline: Pipeline
  readonly #helpBase: string | undefined

  constructor(pipeline: Pipeline, helpBase: string | undefined) {
    this.#pipeline = pipeline
    this.#helpBase = helpBase
  }

  async answer(info: HttpCallInfo): Promise<Answer> {
    const request = create(GetJsonWebKeySetRequestSchema)
    const result = await this.#pipeline.call(TokenService.method.getJsonWebKeySet, info, request)
    return result.ok ? keySet(result.value) : toOAuthRefusal(result, info.authorization, this.#helpBase)
  }
}

function keySet({ keys, maxAge }: GetJsonWebKeySetResponse): Answer {
  return {
    status: 200,
    contentType: 'application/jwk-set+json',
    cacheControl: `public, max-age=${maxAge?.seconds ?? 0n}`,
    body: JSON.stringify({ keys: keys.map((key) => toJson(JsonWebKeySchema, key)) }),
  }
}

const METADATA_PATH = '/.well-known/oauth-authorization-server'
const MAX_AGE_S = 300

/** What depends on the configuration. */
export interface ServerCapabilities {
  readonly issuer: string
  /** Whether assertions of any issuer stand for clients. */
  readonly assertionGrant: boolean
  /** With which assertions may be signed. */
  readonly assertionAlgorithms: readonly string[]
  /** Whether this port asks callers for one. */
  readonly clientCertificates: ClientCertificates
  /** Whether there is a CA that issues them. */
  readonly clientCa: boolean
}

/**
 * RFC 8414: what the server supports. `url`: where callers reach this port. The
 * metadata of an issuer with a path is looked for with that path at the end
 * (§3.1).
 */
export function metadataEndpoints(capabilities: ServerCapabilities, url: () => string): readonly Endpoint[] {
  const { pathname } = new URL(capabilities.issuer)
  // §3.1: a slash at the end of the issuer is left out.
  const paths = new Set([METADATA_PATH, METADATA_PATH + (pathname.endsWith('/') ? pathname.slice(0, -1) : pathname)])
  return [...paths].map((path) => new MetadataEndpoint(path, capabilities, url))
}

class MetadataEndpoint implements Endpoint {
  readonly path: string
  readonly #capabilities: ServerCapabilities
  readonly #url: () => string

  constructor(path: string, capabilities: ServerCapabilities, url: () => string) {
    this.path = path
    this.#capabilities = capabilities
    this.#url = url
  }

  answer(): Answer {
    return {
      status: 200,
      contentType: 'application/json',
      cacheControl: `public, max-age=${MAX_AGE_S}`,
      body: JSON.stringify(metadataOf(this.#capabilities, this.#url())),
    }
  }
}

/**
 * Without the endpoints of authorization, token, introspection and revocation:
 * those are places for forms over HTTP, and here they are calls.
 */
function metadataOf(capabilities: ServerCapabilities, url: string) {
  const { issuer, assertionGrant, assertionAlgorithms, clientCertificates, clientCa } = capabilities
  return {
    issuer,
    jwks_uri: `${url}${KEY_SET_PATH}`,
    scopes_supported: PERMISSIONS,
    // Of the codes that the front-end hands out for QScope.
    response_types_supported: ['code'],
    grant_types_supported: [
      'authorization_code',
      'client_credentials',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:device_code',
      'urn:ietf:params:oauth:grant-type:token-exchange',
      ...(assertionGrant ? ['urn:ietf:params:oauth:grant-type:jwt-bearer'] : []),
    ],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      ...(clientCa ? ['tls_client_auth'] : []),
      ...(clientCertificates === 'request' ? ['self_signed_tls_client_auth'] : []),
      'none',
    ],
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    // RFC 8705 §3.3.
    tls_client_certificate_bound_access_tokens: clientCertificates !== 'none',
  }
}
