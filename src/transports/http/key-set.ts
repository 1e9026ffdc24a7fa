import { create, toJson } from '@bufbuild/protobuf'
import { codeToHttpStatus } from '@connectrpc/connect/protocol-connect'
import { registry } from '../../errors/registry.ts'
import { JsonWebKeySchema } from '../../gen/qscope/v1/json_web_key_pb.ts'
import {
  GetJsonWebKeySetRequestSchema,
  type GetJsonWebKeySetResponse,
  TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import type { FailedResult } from '../../results.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import { sentenceOf } from '../../rpc/rpc-status.ts'
import type { Answer, Endpoint } from './endpoints.ts'
import { CODES } from './errors.ts'
import type { HttpCallInfo } from './http-call-info.ts'

export const KEY_SET_PATH = '/.well-known/jwks.json'

/** RFC 7517 §5: what `GetJsonWebKeySet` answers, for verifiers that know HTTP only. */
export class KeySetEndpoint implements Endpoint {
  readonly path = KEY_SET_PATH
  readonly #pipeline: Pipeline

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline
  }

  async answer(info: HttpCallInfo): Promise<Answer> {
    const request = create(GetJsonWebKeySetRequestSchema)
    const result = await this.#pipeline.call(TokenService.method.getJsonWebKeySet, info, request)
    return result.ok ? keySet(result.value) : refusal(result)
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

/** RFC 6749 §5.2: errors have this form wherever OAuth speaks HTTP. */
function refusal(failed: FailedResult): Answer {
  const {
    code,
    details: { retryAfterMs },
  } = failed
  const { status, oauthError } = registry[code]
  return {
    status: codeToHttpStatus(CODES[status]),
    contentType: 'application/json',
    body: JSON.stringify({ error: oauthError ?? code, error_description: sentenceOf(failed) }),
    ...(retryAfterMs !== undefined && { retryAfter: Math.ceil(retryAfterMs / 1_000) }),
  }
}
