import type { DescMethodServerStreaming, DescMethodUnary, Message } from '@bufbuild/protobuf'
import type { ConnectRouter, HandlerContext } from '@connectrpc/connect'
import type { Logger } from '../../context.ts'
import { epochMs } from '../../domain/ids.ts'
import type { Result } from '../../results.ts'
import { CallEnded } from '../../rpc/call-info.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import type { EncodedRequest } from '../../rpc/request-limits/request-parser.ts'
import type { Route } from '../../rpc/routes.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import { toConnectError, toEndedError } from './errors.ts'
import { EXCHANGE, HttpCallInfo } from './exchange/http-call-info.ts'
import { RunningCalls } from './exchange/running-calls.ts'

export interface HttpAdapterOptions {
  readonly pipeline: Pipeline
  readonly state: ServingState
  readonly helpBase: string | undefined
  readonly log: Logger
}

/** A call that Connect passes on to the pipeline. */
interface HttpCall {
  readonly info: HttpCallInfo
  readonly message: Message | EncodedRequest
}

/** Lets the pipeline answer the calls of Connect. */
export class HttpAdapter {
  readonly #options: HttpAdapterOptions
  readonly #calls: RunningCalls

  /** `abort`: aborted when the server stops waiting for its calls. */
  constructor(options: HttpAdapterOptions, abort: AbortSignal) {
    this.#options = options
    this.#calls = new RunningCalls(options.state, options.log, abort)
  }

  serve(router: ConnectRouter, route: Route): void {
    switch (route.kind) {
      case 'unary':
        router.rpc(route.method, (parsed: Message, context) => this.#unary(route.method, parsed, context))
        break
      case 'serverStream':
        router.rpc(route.method, (parsed: Message, context) => this.#serverStream(route.method, parsed, context))
        break
      default:
        route satisfies never
    }
  }

  async #unary(method: DescMethodUnary, parsed: Message, context: HandlerContext): Promise<Message> {
    const { info, message } = callOf(parsed, context)
    const running = this.#options.pipeline.call(method, info, message)
    return this.#valueOf(await this.#calls.resultOf(running, method, info), info)
  }

  async *#serverStream(
    method: DescMethodServerStreaming,
    parsed: Message,
    context: HandlerContext,
  ): AsyncGenerator<Message, void, void> {
    const { pipeline, state } = this.#options
    const { info, message } = callOf(parsed, context)
    state.enter()
    const items = pipeline.stream(method, info, message)
    try {
      for (;;) {
        const next = await this.#calls.nextOf(items, method, info)
        if (next === null) return
        yield this.#valueOf(next, info)
      }
    } finally {
      const leave = () => state.leave()
      void items.return().then(leave, leave)
    }
  }

  /** @throws ConnectError unless the result is a success. */
  #valueOf(result: Result<Message> | CallEnded, info: HttpCallInfo): Message {
    if (result instanceof CallEnded) throw toEndedError(result)
    if (!result.ok) throw toConnectError(result, info, this.#options.helpBase)
    return result.value
  }
}

function callOf(parsed: Message, { values, signal, timeoutMs }: HandlerContext): HttpCall {
  const exchange = values.get(EXCHANGE)
  if (exchange === null) throw new Error('a call without its HTTP exchange')
  const left = timeoutMs()
  const deadline = left === undefined ? null : epochMs(Math.floor(Date.now() + left))
  return { info: new HttpCallInfo(exchange, signal, deadline), message: exchange.message ?? parsed }
}
