import type { Logger } from '../../../context.ts'
import { registry } from '../../../errors/registry.ts'
import { type FailedResult, invalidRequest } from '../../../results.ts'
import { CallEnded } from '../../../rpc/call-info.ts'
import type { IncomingMessages } from '../../../rpc/incoming-messages.ts'
import type { Pipeline } from '../../../rpc/pipeline.ts'
import type { ServingState } from '../../../rpc/serving-state.ts'
import { type Answer, sendAnswer } from '../exchange/answer.ts'
import { type Exchange, HttpCallInfo } from '../exchange/http-call-info.ts'
import { readBody } from '../exchange/read-body.ts'
import { RunningCalls } from '../exchange/running-calls.ts'
import { SIGNED_INTROSPECTION } from './answers.ts'
import {
  DeviceAuthorizationEndpoint,
  type FormEndpoint,
  IntrospectionEndpoint,
  RevocationEndpoint,
  TokenEndpoint,
} from './endpoints.ts'
import type { FormCall } from './form-call.ts'
import { accepts, bodyFormatOf, readForm } from './read-form.ts'
import { NOT_STORED, toOAuthRefusal } from './refusal.ts'

/** Two JWTs of maximum length, and room for the other parameters. */
const MAX_FORM_BYTES = 64 * 1024

export interface OAuthHandlerOptions {
  readonly pipeline: Pipeline
  readonly state: ServingState
  readonly helpBase: string | undefined
  readonly log: Logger
  /** The largest request of any kind, in bytes. */
  readonly maxMessageBytes: number
  readonly incoming: IncomingMessages
  /** Aborted when the server stops waiting for its calls. */
  readonly abort: AbortSignal
}

/** Answers the forms of OAuth over HTTP. Each form is another representation of a call of the contract. */
export class OAuthHandler {
  readonly #options: OAuthHandlerOptions
  readonly #calls: RunningCalls
  readonly #endpoints: ReadonlyMap<string, FormEndpoint>

  constructor(options: OAuthHandlerOptions) {
    const endpoints: readonly FormEndpoint[] = [
      new TokenEndpoint(),
      new IntrospectionEndpoint(),
      new RevocationEndpoint(),
      new DeviceAuthorizationEndpoint(),
    ]
    this.#options = options
    this.#calls = new RunningCalls(options.state, options.log, options.abort)
    this.#endpoints = new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]))
  }

  /** The endpoint at a path; `null` if there is none. */
  endpointAt(path: string): FormEndpoint | null {
    return this.#endpoints.get(path) ?? null
  }

  async answer(endpoint: FormEndpoint, exchange: Exchange): Promise<void> {
    const { request, response } = exchange
    const { helpBase, abort } = this.#options
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const info = new HttpCallInfo(exchange, AbortSignal.any([gone.signal, abort]), null)
    if (request.method !== 'POST') {
      response.setHeader('allow', 'POST')
      const refused = invalidRequest('', 'must be a POST')
      return sendAnswer(response, { ...toOAuthRefusal(refused, info.authorization, helpBase), status: 405 })
    }
    const answer = await this.#answerTo(endpoint, exchange, info)
    if (answer !== null) sendAnswer(response, answer)
  }

  /** `null`: the answer is no longer needed. */
  async #answerTo(endpoint: FormEndpoint, exchange: Exchange, info: HttpCallInfo): Promise<Answer | null> {
    const { helpBase, maxMessageBytes, incoming } = this.#options
    const refuse = (failed: FailedResult): Answer => {
      this.#noteRefusal(endpoint, info, failed)
      return toOAuthRefusal(failed, info.authorization, helpBase)
    }
    const format = bodyFormatOf(exchange.request, endpoint.mayBeJson)
    if (!format.ok) return refuse(format)
    const maxBytes = Math.min(MAX_FORM_BYTES, maxMessageBytes)
    const body = await readBody(exchange, info.peer, { maxBytes, incoming })
    switch (body.kind) {
      case 'too large':
        return { ...refuse(invalidRequest('', `is larger than ${maxBytes} bytes`)), status: 413 }
      case 'refused':
        return refuse(body.failed)
      case 'complete': {
        const form = readForm(body.bytes, format.value)
        if (!form.ok) return refuse(form)
        const call = endpoint.read(form.value, accepts(exchange.request, SIGNED_INTROSPECTION))
        return call.ok ? await this.#run(call.value, info) : refuse(call)
      }
      default:
        return body satisfies never
    }
  }

  async #run(call: FormCall, info: HttpCallInfo): Promise<Answer | null> {
    const { pipeline, helpBase } = this.#options
    const result = await this.#calls.resultOf(call.run(pipeline, info), call.method, info)
    if (result instanceof CallEnded) return null
    return result.ok ? { ...result.value, headers: NOT_STORED } : toOAuthRefusal(result, info.authorization, helpBase)
  }

  /** Logs a malformed form as every call is logged. If the endpoint has one call, the refusal counts as that call. */
  #noteRefusal({ path, method }: FormEndpoint, info: HttpCallInfo, failed: FailedResult): void {
    const { pipeline, log } = this.#options
    if (method !== null) {
      pipeline.refuse(method, info, failed)
      return
    }
    const { rayId, peer } = info
    log.info({ rayId, method: path, code: registry[failed.code].status, reason: failed.code, peer }, 'call')
  }
}
