import { create, toBinary } from '@bufbuild/protobuf'
import {
  GetProtectedResourceMetadataRequestSchema,
  type GetProtectedResourceMetadataResponse,
  TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import type { Endpoint } from './endpoints.ts'
import { type Answer, jsonAnswer } from './exchange/answer.ts'
import type { HttpCallInfo } from './exchange/http-call-info.ts'
import { toOAuthRefusal } from './oauth/refusal.ts'

export const PROTECTED_RESOURCE_PATH = '/.well-known/oauth-protected-resource'
const MAX_AGE_S = 300

/**
 * RFC 9728 §3: the metadata of a resource. The operator of a resource routes the metadata path of its host to this server,
 * with the host in the header. The resource is then derived by reversing the construction of §3.1.
 */
export class ProtectedResourceEndpoint implements Endpoint {
  readonly path = PROTECTED_RESOURCE_PATH
  readonly #pipeline: Pipeline
  readonly #helpBase: string | undefined

  constructor(pipeline: Pipeline, helpBase: string | undefined) {
    this.#pipeline = pipeline
    this.#helpBase = helpBase
  }

  async answer(info: HttpCallInfo): Promise<Answer> {
    const { getProtectedResourceMetadata } = TokenService.method
    const request = create(GetProtectedResourceMetadataRequestSchema, { resource: resourceOf(info) })
    const encoded = toBinary(GetProtectedResourceMetadataRequestSchema, request)
    const result = await this.#pipeline.call(getProtectedResourceMetadata, info, encoded)
    if (result.ok) return { ...jsonAnswer(200, members(result.value)), cacheControl: `public, max-age=${MAX_AGE_S}` }
    const refusal = toOAuthRefusal(result, info.authorization, this.#helpBase)
    // §3.2: the document does not exist.
    return result.code === 'resource.not_found' ? { ...refusal, status: 404 } : refusal
  }
}

/** RFC 9728 §1.2: over https, without a fragment. The path is kept as it was sent. */
function resourceOf(info: HttpCallInfo): string {
  return `https://${info.header('host') ?? ''}${info.path.slice(PROTECTED_RESOURCE_PATH.length)}`
}

function members(metadata: GetProtectedResourceMetadataResponse) {
  return {
    resource: metadata.resource,
    authorization_servers: metadata.authorizationServers,
    bearer_methods_supported: metadata.bearerMethodsSupported,
  }
}
