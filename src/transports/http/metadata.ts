import { toJson } from '@bufbuild/protobuf'
import { GetServerMetadataResponseSchema } from '../../gen/qscope/v1/server_service_pb.ts'
import { isObject } from '../../json-object.ts'
import { type ServerCapabilities, serverMetadata } from '../../rpc/server-metadata.ts'
import type { Endpoint } from './endpoints.ts'
import { type Answer, jsonAnswer } from './exchange/answer.ts'

const METADATA_PATH = '/.well-known/oauth-authorization-server'
const OPENID_PATH = '/.well-known/openid-configuration'
const MAX_AGE_S = 300

/**
 * The server metadata for clients of OAuth (RFC 8414). The same content is served as the document of OpenID Connect, for
 * verifiers of JWTs that read only that document, such as cloud providers. `url`: the address of this port for callers. For
 * an issuer with a path, the path comes at the end of the document's address (RFC 8414 §3.1, §5). OpenID Connect also puts it
 * in front (OpenID Connect Discovery 1.0 §4).
 */
export function metadataEndpoints(capabilities: ServerCapabilities, url: () => string): readonly Endpoint[] {
  const { pathname } = new URL(capabilities.issuer)
  // RFC 8414 §3.1: a slash at the end of the issuer is omitted.
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

/** The message with the member names of RFC 8414. */
function metadataOf(capabilities: ServerCapabilities, url: string): object {
  const message = serverMetadata(capabilities, url)
  const document = toJson(GetServerMetadataResponseSchema, message, { useProtoFieldName: true })
  if (!isObject(document)) throw new Error('a message is a JSON object')
  return document
}

/** OpenID Connect Discovery 1.0 §3: members that readers of the document require, whether they use them or not. */
function openidMembersOf({ signingAlgorithms }: ServerCapabilities) {
  return {
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: signingAlgorithms,
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'act', 'cnf'],
  }
}
