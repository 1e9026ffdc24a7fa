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

/** The message in the spelling of RFC 8414. */
function metadataOf(capabilities: ServerCapabilities, url: string): object {
  const message = serverMetadata(capabilities, url)
  const document = toJson(GetServerMetadataResponseSchema, message, { useProtoFieldName: true })
  if (!isObject(document)) throw new Error('a message is a JSON object')
  return document
}

/** OpenID Connect Discovery 1.0 §3: what readers of that document ask for, whether they use it or not. */
function openidMembersOf({ signingAlgorithms }: ServerCapabilities) {
  return {
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: signingAlgorithms,
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'act', 'cnf'],
  }
}
