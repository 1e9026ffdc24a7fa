import { create, toJson } from '@bufbuild/protobuf'
import { KEY_SET_PATH } from '../../domain/endpoint-paths.ts'
import { JsonWebKeySchema } from '../../gen/qscope/v1/json_web_key_pb.ts'
import {
  GetJsonWebKeySetRequestSchema,
  type GetJsonWebKeySetResponse,
  TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import type { Endpoint } from './endpoints.ts'
import type { Answer } from './exchange/answer.ts'
import type { HttpCallInfo } from './exchange/http-call-info.ts'
import { toOAuthRefusal } from './oauth/refusal.ts'

/** RFC 7517 §5: the answer of `GetJsonWebKeySet`, for verifiers that only use HTTP. */
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
