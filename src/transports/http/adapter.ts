import type { DescMethod, DescMethodServerStreaming, DescMethodUnary, Message } from '@bufbuild/protobuf'
import { ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import type { Logger } from '../../context.ts'
import { epochMs } from '../../domain/ids.ts'
import { fail } from '../../results.ts'
import { CallEnded } from '../../rpc/call-info.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import type { EncodedRequest } from '../../rpc/request-limits/request-parser.ts'
import type { Route } from '../../rpc/routes.ts'
import { abortedCall } from '../../rpc/served-method.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import { toConnectError, toEndedError } from './errors.ts'
import { EXCHANGE, HttpCallInfo } from './exchange/http-call-info.ts'
import { untilAborted } from './exchange/until-aborted.ts'

export interface HttpAdapterOptions {
  readonly pipeline: Pipeline
  readonly state: ServingState
  readonly helpBase: string | undefined
  readonly log: Logger
}

/** A call as Connect hands it on, for the pipeline. */
interface HttpCall {
  readonly info: HttpCallInfo
  readonly message: Message | EncodedRequest
}

/** Lets the pipeline answer the calls of Connect. */
export class HttpAdapter {
  readonly #options: HttpAdapterOptions
  readonly #abort: AbortSignal

  /** `abort`: aborted when the server waits no longer for its calls. */
  constructor(options: HttpAdapterOptions, abort: AbortSignal) {
    this.#options = options
    this.#abort = abort
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
    const { pipeline, state, helpBase } = this.#options
    const { info, message } = callOf(parsed, context)
    state.enter()
    try {
      // What nobody waits for any more still runs, and counts until it has ended.
      const running = pipeline.call(method, info, message).finally(() => state.leave())
      const result = await untilAborted(running, context.signal)
      if (result.ok) return result.value
      throw toConnectError(result, info, helpBase)
    } catch (error) {
      throw this.#errorOfThrown(error, method, info)
    }
  }

  async *#serverStream(
    method: DescMethodServerStreaming,
    parsed: Message,
    context: HandlerContext,
  ): AsyncGenerator<Message, void, void> {
    const { pipeline, state, helpBase } = this.#options
    const { info, message } = callOf(parsed, context)
    state.enter()
    const items = pipeline.stream(method, info, message)
    try {
      for (;;) {
        const next = await untilAborted(items.next(), context.signal)
        if (next.done === true) return
        if (!next.value.ok) throw toConnectError(next.value, info, helpBase)
        yield next.value.value
      }
    } catch (error) {
      throw this.#errorOfThrown(error, method, info)
    } finally {
      const leave = () => state.leave()
      void items.return().then(leave, leave)
    }
  }

  /** The pipeline turns errors into answers itself; what else arrives here happened on the way out. */
  #errorOfThrown(error: unknown, method: DescMethod, info: HttpCallInfo): ConnectError {
    const { helpBase, log } = this.#options
    // The caller, the deadline and the server can abort a call; the first of them counts.
    if (this.#abort.aborted && info.signal.reason === this.#abort.reason) {
      return toConnectError(abortedCall(method), info, helpBase)
    }
    const kind = info.endedBy()
    if (kind !== null) return toEndedError(new CallEnded(kind))
    if (error instanceof ConnectError) return error
    log.error({ rayId: info.rayId, err: error }, 'unexpected error while answering')
    return toConnectError(fail('oauth.server_error'), info, helpBase)
  }
}

function callOf(parsed: Message, { values, signal, timeoutMs }: HandlerContext): HttpCall {
  const exchange = values.get(EXCHANGE)
  if (exchange === null) throw new Error('a call without its HTTP exchange')
  const left = timeoutMs()
  const deadline = left === undefined ? null : epochMs(Math.floor(Date.now() + left))
  return { info: new HttpCallInfo(exchange, signal, deadline), message: exchange.message ?? parsed }
}
