import type { IncomingMessage, ServerResponse } from 'node:http'
import { createConnectRouter, createContextValues } from '@connectrpc/connect'
import type { UniversalHandler, UniversalServerRequest } from '@connectrpc/connect/protocol'
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node'
import type { IncomingMessages } from '../../rpc/incoming-messages.ts'
import { RAY_ID_KEY, rayIdOf } from '../../rpc/trace-context.ts'
import { mediaTypeOf } from '../media-type.ts'
import { type HttpCallOptions, serveHttpRoute } from './adapter.ts'
import { crossOriginRule } from './cross-origin.ts'
import { type Answer, type Endpoint, textAnswer } from './endpoint.ts'
import { toConnectError } from './errors.ts'
import { EXCHANGE, type Exchange } from './exchange.ts'
import { HttpCallInfo } from './http-call-info.ts'
import { jsonTypes } from './json-types.ts'
import { messageBody } from './request-body.ts'

/** `setTimeout` takes no more, and fires at once instead. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1
const READING = Object.freeze(['GET', 'HEAD'])

export interface ListenerOptions extends HttpCallOptions {
  readonly endpoints: readonly Endpoint[]
  readonly newRayId: () => string
  /** Of web pages that may call. */
  readonly allowedOrigins: readonly string[]
  readonly maxMessageBytes: number
  /** What messages on their way may take. */
  readonly incoming: IncomingMessages
}

/** Answers each request: a call, a document, or that there is no such thing. Never throws. */
export function requestListener(
  options: ListenerOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const { pipeline, endpoints, log, newRayId, state, maxMessageBytes, incoming, helpBase } = options
  const documents = new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]))
  const crossOrigin = crossOriginRule(options.allowedOrigins)
  const router = createConnectRouter({
    grpc: false,
    // A small request could unfold to a large one.
    acceptCompression: [],
    readMaxBytes: maxMessageBytes,
    maxTimeoutMs: MAX_TIMEOUT_MS,
    shutdownSignal: options.givingUp,
    // Whoever reads with curl shall see `"active": false`.
    jsonOptions: { alwaysEmitImplicit: true, registry: jsonTypes(pipeline.routes) },
  })
  for (const route of pipeline.routes) serveHttpRoute(router, route, options)
  const calls = new Map(router.handlers.map((handler) => [handler.requestPath, handler]))

  async function answerCall(handler: UniversalHandler, exchange: Exchange, response: ServerResponse): Promise<void> {
    const call = connectRequest(exchange, response)
    if (call === null) return send(response, textAnswer(400, 'bad request'))
    // It was held against the body that Connect does not see.
    call.header.delete('content-length')
    const origin = new HttpCallInfo(exchange.request, exchange.rayId, call.signal, null)
    const body = messageBody(exchange, origin.peer, {
      maxBytes: maxMessageBytes,
      incoming,
      refusalOf: (failed) => toConnectError(failed, origin, helpBase),
    })
    // RFC 9110 §8.4.1: codings are compared without case, and "identity" says that there is none.
    const coding = call.header.get('content-encoding')?.trim().toLowerCase()
    if (coding === 'identity' || coding === '') call.header.delete('content-encoding')
    else if (coding !== undefined) call.header.set('content-encoding', coding)
    const contentType = call.header.get('content-type')
    if (contentType !== null) call.header.set('content-type', mediaTypeOf(contentType))
    const answer = await handler({ ...call, body })
    if (answer.status === 405) response.setHeader('allow', handler.allowedMethods.join(', '))
    await universalResponseToNodeResponse(answer, response)
  }

  async function answerDocument(endpoint: Endpoint, exchange: Exchange, response: ServerResponse): Promise<void> {
    const { request, rayId } = exchange
    if (!READING.includes(request.method ?? '')) {
      response.setHeader('allow', READING.join(', '))
      return send(response, textAnswer(405, 'method not allowed'))
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    send(response, await endpoint.answer(new HttpCallInfo(request, rayId, gone.signal, null)))
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const rayId = rayIdOf((key) => request.headersDistinct[key]?.[0], newRayId)
    response.setHeader(RAY_ID_KEY, rayId)
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('cache-control', 'no-store')
    if (state.draining) response.setHeader('connection', 'close')
    if (!takeHost(request)) {
      response.setHeader('connection', 'close')
      return send(response, textAnswer(400, 'bad request'))
    }
    if (!crossOrigin(request, response)) return
    const exchange = { request, response, rayId, message: null }
    const path = pathOf(request)
    const call = calls.get(path)
    const document = documents.get(path)
    if (call !== undefined) await answerCall(call, exchange, response)
    else if (document !== undefined) await answerDocument(document, exchange, response)
    else send(response, textAnswer(404, 'not found'))
  }

  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.destroyed) return log.debug({ err: error }, 'the caller left before the answer was sent')
      log.error({ rayId: response.getHeader(RAY_ID_KEY), err: error }, 'accident while answering')
      if (response.headersSent) response.destroy()
      else send(response, textAnswer(500, 'internal error'))
    })
  }
}

/** RFC 3986 §3.2: a name or an address, and a port. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~%!$&'()*+,;=-]*)(?::\d*)?$/i

/**
 * RFC 9112 §3.2: a request names its host once; only one of HTTP/1.0 may leave it
 * out. Returns whether it does. Which host that is makes no difference here, but
 * Connect wants one.
 */
function takeHost({ headers, headersDistinct, httpVersion }: IncomingMessage): boolean {
  const [host, ...more] = headersDistinct['host'] ?? []
  if (more.length > 0 || (host === undefined && httpVersion !== '1.0') || !HOST.test(host ?? '')) return false
  headers.host = host === undefined || host === '' ? 'localhost' : host
  return true
}

/** `null`: what came is no request. */
function connectRequest(exchange: Exchange, response: ServerResponse): UniversalServerRequest | null {
  const values = createContextValues().set(EXCHANGE, exchange)
  try {
    return universalRequestFromNodeRequest(exchange.request, response, undefined, values)
  } catch {
    return null
  }
}

/** Exactly as it was sent: nothing is decoded or resolved, so there is one spelling of each path. */
function pathOf({ url = '' }: IncomingMessage): string {
  // RFC 9112 §3.2.2: a server takes the absolute form too.
  const target = url.startsWith('/') ? url : (URL.parse(url)?.pathname ?? '')
  return target.split('?', 1).join('')
}

function send(response: ServerResponse, answer: Answer): void {
  const { status, contentType, body, cacheControl, retryAfter, headers = {} } = answer
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (cacheControl !== undefined) response.setHeader('cache-control', cacheControl)
  if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter)
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
