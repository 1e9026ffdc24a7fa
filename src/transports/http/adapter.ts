import type { DescMethod, DescMethodServerStreaming, DescMethodUnary, Message } from '@bufbuild/protobuf'
import { ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect'
import { epochMs } from '../../domain/ids.ts'
import type { Logger } from '../../logger.ts'
import { fail } from '../../results.ts'
import { CallEnded } from '../../rpc/call-info.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import type { EncodedRequest } from '../../rpc/request-limits/request-parser.ts'
import { givenUp } from '../../rpc/retry-advice.ts'
import type { Route } from '../../rpc/routes.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import { toConnectError, toEndedError } from './errors.ts'
import { EXCHANGE } from './exchange.ts'
import { HttpCallInfo } from './http-call-info.ts'
import { raced } from './race.ts'

export interface HttpAdapterOptions {
  readonly pipeline: Pipeline
  readonly state: ServingState
  readonly helpBase: string | undefined
  readonly log: Logger
}

/** What the calls of a server with a port of its own need beside that. */
export interface HttpCallOptions extends HttpAdapterOptions {
  /** Aborted when the server waits no longer for its calls. */
  readonly givingUp: AbortSignal
}

/** A call as Connect hands it on, for the pipeline. */
interface HttpCall {
  readonly info: HttpCallInfo
  readonly message: Message | EncodedRequest
}

/** Lets the pipeline answer a route. */
export function serveHttpRoute(router: ConnectRouter, route: Route, options: HttpCallOptions): void {
  switch (route.kind) {
    case 'unary':
      router.rpc(route.method, unaryCall(route.method, options))
      break
    case 'serverStream':
      router.rpc(route.method, streamCall(route.method, options))
      break
    default:
      route satisfies never
  }
}

function unaryCall(method: DescMethodUnary, options: HttpCallOptions) {
  const { pipeline, state, helpBase } = options
  return async (parsed: Message, context: HandlerContext): Promise<Message> => {
    const { info, message } = callOf(parsed, context)
    const leave = state.enter()
    try {
      // What nobody waits for any more still runs, and counts until it has ended.
      const running = pipeline.call(method, info, message).finally(leave)
      const result = await raced(running, context.signal)
      if (result.ok) return result.value
      throw toConnectError(result, info, helpBase)
    } catch (error) {
      throw errorOfThrown(error, method, info, options)
    }
  }
}

function streamCall(method: DescMethodServerStreaming, options: HttpCallOptions) {
  const { pipeline, state, helpBase } = options
  return async function* (parsed: Message, context: HandlerContext): AsyncGenerator<Message, void, void> {
    const { info, message } = callOf(parsed, context)
    const leave = state.enter()
    const items = pipeline.stream(method, info, message)
    try {
      for (;;) {
        const next = await raced(items.next(), context.signal)
        if (next.done === true) return
        if (!next.value.ok) throw toConnectError(next.value, info, helpBase)
        yield next.value.value
      }
    } catch (error) {
      throw errorOfThrown(error, method, info, options)
    } finally {
      void items.return().then(leave, leave)
    }
  }
}

function callOf(parsed: Message, { values, signal, timeoutMs }: HandlerContext): HttpCall {
  const exchange = values.get(EXCHANGE)
  if (exchange === null) throw new Error('a call without its HTTP exchange')
  const left = timeoutMs()
  const deadline = left === undefined ? null : epochMs(Math.floor(Date.now() + left))
  return {
    info: new HttpCallInfo(exchange.request, exchange.rayId, signal, deadline),
    message: exchange.message ?? parsed,
  }
}

/** The pipeline turns accidents into answers itself; what else arrives here happened on the way out. */
function errorOfThrown(
  error: unknown,
  method: DescMethod,
  info: HttpCallInfo,
  { helpBase, givingUp, log }: HttpCallOptions,
): ConnectError {
  // Whichever aborts it first: the caller, the deadline or the server.
  if (givingUp.aborted && info.signal.reason === givingUp.reason) {
    return toConnectError(givenUp(method), info, helpBase)
  }
  const kind = info.endedBy()
  if (kind !== null) return toEndedError(new CallEnded(kind))
  if (error instanceof ConnectError) return error
  log.error({ rayId: info.rayId, err: error }, 'accident while answering')
  return toConnectError(fail('oauth.server_error'), info, helpBase)
}
