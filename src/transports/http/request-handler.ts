import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRegistry, type DescFile, type Registry } from '@bufbuild/protobuf'
import { cors as connectHeaders, createConnectRouter, createContextValues } from '@connectrpc/connect'
import type { UniversalHandler, UniversalServerRequest } from '@connectrpc/connect/protocol'
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node'
import cors from 'cors'
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.ts'
import { exemptionOf } from '../../rpc/access-exemptions.ts'
import type { IncomingMessages } from '../../rpc/incoming-messages.ts'
import type { Route } from '../../rpc/routes.ts'
import { RAY_ID_KEY, rayIdOf } from '../../rpc/trace-context.ts'
import { mediaTypeOf } from '../media-type.ts'
import { PeerCertificates, peerOn } from '../peer.ts'
import { HttpAdapter, type HttpAdapterOptions } from './adapter.ts'
import type { Endpoint } from './endpoints.ts'
import { toConnectError } from './errors.ts'
import { sendAnswer, textAnswer } from './exchange/answer.ts'
import { EXCHANGE, type Exchange, HttpCallInfo, pathOf } from './exchange/http-call-info.ts'
import { OAuthHandler } from './oauth/oauth-handler.ts'
import { PROTECTED_RESOURCE_PATH } from './protected-resource.ts'
import { messageBody } from './request-body.ts'

/** The longest delay of `setTimeout`. With a longer one, it fires at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1
const READING = Object.freeze(['GET', 'HEAD'])

export interface RequestHandlerOptions extends HttpAdapterOptions {
  readonly endpoints: readonly Endpoint[]
  readonly newRayId: () => string
  /** Whether the OAuth endpoints are enabled. */
  readonly oauth: boolean
  /** The origins of web pages that may call. */
  readonly allowedOrigins: readonly string[]
  readonly maxMessageBytes: number
  /** The budget of incoming messages. */
  readonly incoming: IncomingMessages
  /** Aborted when the server stops waiting for its calls. */
  readonly abort: AbortSignal
}

/** Answers each request with a call, a document, or a 404. */
export class RequestHandler {
  readonly #options: RequestHandlerOptions
  readonly #crossOrigin: CrossOriginRule
  readonly #calls: ReadonlyMap<string, UniversalHandler>
  readonly #documents: ReadonlyMap<string, Endpoint>
  readonly #oauth: OAuthHandler | null
  readonly #certificates = new PeerCertificates()

  constructor(options: RequestHandlerOptions) {
    const { pipeline, endpoints, abort, maxMessageBytes } = options
    this.#options = options
    this.#crossOrigin = crossOriginRule(options.allowedOrigins)
    this.#documents = new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]))
    this.#oauth = options.oauth ? new OAuthHandler(options) : null
    // Methods of external contracts are called over gRPC only.
    const routes = pipeline.routes.filter(({ method }) => exemptionOf(method) === null)
    const router = createConnectRouter({
      grpc: false,
      // A small compressed request could inflate to a large one.
      acceptCompression: [],
      readMaxBytes: maxMessageBytes,
      maxTimeoutMs: MAX_TIMEOUT_MS,
      shutdownSignal: abort,
      // Users of curl should see `"active": false`.
      jsonOptions: { alwaysEmitImplicit: true, registry: jsonTypes(routes) },
    })
    const adapter = new HttpAdapter(options, abort)
    for (const route of routes) adapter.serve(router, route)
    this.#calls = new Map(router.handlers.map((handler) => [handler.requestPath, handler]))
  }

  /** Never throws. `peerName`: of all peers of a listener whose peers have no addresses; `null`: each has its own. */
  handle(request: IncomingMessage, response: ServerResponse, peerName: string | null): void {
    const { log } = this.#options
    this.#answer(request, response, peerName).catch((error: unknown) => {
      if (response.destroyed) return log.debug({ err: error }, 'the caller disconnected before the answer was sent')
      log.error({ rayId: response.getHeader(RAY_ID_KEY), err: error }, 'unexpected error while answering')
      if (response.headersSent) response.destroy()
      else sendAnswer(response, textAnswer(500, 'internal error'))
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse, peerName: string | null): Promise<void> {
    const rayId = rayIdOf({ header: (name) => request.headersDistinct[name]?.[0] }, this.#options.newRayId)
    response.setHeader(RAY_ID_KEY, rayId)
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('cache-control', 'no-store')
    if (this.#options.state.draining) response.setHeader('connection', 'close')
    if (!normalizeHost(request)) {
      response.setHeader('connection', 'close')
      return sendAnswer(response, textAnswer(400, 'bad request'))
    }
    if (!this.#crossOrigin(request, response)) return
    const peer = peerOn(request.socket, peerName)
    const exchange = { request, response, rayId, peer, certificates: this.#certificates, message: null }
    const path = pathOf(request)
    const call = this.#calls.get(path)
    const document = this.#documentAt(path)
    const form = this.#oauth?.endpointAt(path) ?? null
    if (call !== undefined) await this.#answerCall(call, exchange)
    else if (document !== undefined) await this.#answerDocument(document, exchange)
    else if (this.#oauth !== null && form !== null) await this.#oauth.answer(form, exchange)
    else sendAnswer(response, textAnswer(404, 'not found'))
  }

  /** The document for a path. The metadata of protected resources also serves every path below its own. */
  #documentAt(path: string): Endpoint | undefined {
    const document = this.#documents.get(path)
    if (document !== undefined || !path.startsWith(`${PROTECTED_RESOURCE_PATH}/`)) return document
    return this.#documents.get(PROTECTED_RESOURCE_PATH)
  }

  async #answerCall(handler: UniversalHandler, exchange: Exchange): Promise<void> {
    const { maxMessageBytes, incoming, helpBase } = this.#options
    const { response } = exchange
    const call = connectRequest(exchange)
    if (call === null) return sendAnswer(response, textAnswer(400, 'bad request'))
    // The header was already checked against the body, which Connect does not see.
    call.header.delete('content-length')
    const info = new HttpCallInfo(exchange, call.signal, null)
    const body = messageBody(exchange, info.peer, {
      maxBytes: maxMessageBytes,
      incoming,
      refusalOf: (failed) => toConnectError(failed, info, helpBase),
    })
    // RFC 9110 §8.4.1: codings are compared case-insensitively, and "identity" means no coding.
    const coding = call.header.get('content-encoding')?.trim().toLowerCase()
    if (coding === 'identity' || coding === '') call.header.delete('content-encoding')
    else if (coding !== undefined) call.header.set('content-encoding', coding)
    const contentType = call.header.get('content-type')
    if (contentType !== null) call.header.set('content-type', mediaTypeOf(contentType))
    const answer = await handler({ ...call, body })
    if (answer.status === 405) response.setHeader('allow', handler.allowedMethods.join(', '))
    await universalResponseToNodeResponse(answer, response)
  }

  async #answerDocument(endpoint: Endpoint, exchange: Exchange): Promise<void> {
    const { request, response } = exchange
    if (!READING.includes(request.method ?? '')) {
      response.setHeader('allow', READING.join(', '))
      return sendAnswer(response, textAnswer(405, 'method not allowed'))
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    sendAnswer(response, await endpoint.answer(new HttpCallInfo(exchange, gone.signal, null)))
  }
}

/**
 * Every message type that an answer may contain. JSON writes out the content of an `Any`, such as the details of a status in
 * a batch's results. All of these types must therefore be known before a call is answered: the effect of a completed call
 * cannot be undone.
 */
export function jsonTypes(routes: readonly Route[]): Registry {
  const files = new Set<DescFile>()
  const add = (file: DescFile): void => {
    if (files.has(file)) return
    files.add(file)
    for (const imported of file.dependencies) add(imported)
  }
  add(file_google_rpc_error_details)
  for (const { method } of routes) add(method.parent.file)
  return createRegistry(...files)
}

/** RFC 3986 §3.2: a name or an address, and an optional port. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~%!$&'()*+,;=-]*)(?::\d*)?$/i

/**
 * RFC 9112 §3.2: a request names its host exactly once; only HTTP/1.0 may omit it. Returns whether the request complies. The
 * value of the host does not matter here, but Connect requires one.
 */
function normalizeHost({ headers, headersDistinct, httpVersion }: IncomingMessage): boolean {
  const [host, ...more] = headersDistinct['host'] ?? []
  if (more.length > 0 || (host === undefined && httpVersion !== '1.0') || !HOST.test(host ?? '')) return false
  headers.host = host === undefined || host === '' ? 'localhost' : host
  return true
}

/** `null`: the request is malformed. */
function connectRequest(exchange: Exchange): UniversalServerRequest | null {
  const values = createContextValues().set(EXCHANGE, exchange)
  try {
    return universalRequestFromNodeRequest(exchange.request, exchange.response, undefined, values)
  } catch {
    return null
  }
}

/** How long browsers cache a permission, in seconds. Chrome caches it no longer than this. */
const MAX_AGE_S = 7_200

/** Checks the origin of a request and answers preflight requests. Returns whether the request goes on. */
type CrossOriginRule = (request: IncomingMessage, response: ServerResponse) => boolean

/**
 * Lets pages of these origins call, according to the Fetch standard. A page of another origin gets no permission, so its
 * browser blocks the answer. Cookies are not used, so a page cannot act in a user's name.
 */
function crossOriginRule(origins: readonly string[]): CrossOriginRule {
  if (origins.length === 0) return () => true
  const handle = cors({
    origin: [...origins],
    methods: [...connectHeaders.allowedMethods],
    allowedHeaders: [...connectHeaders.allowedHeaders, 'Authorization', RAY_ID_KEY, 'Traceparent'],
    exposedHeaders: [...connectHeaders.exposedHeaders, RAY_ID_KEY, 'Retry-After', 'WWW-Authenticate'],
    maxAge: MAX_AGE_S,
  })
  return (request, response) => {
    let isAllowed = false
    // With a list of origins, the callback runs before this returns.
    handle(request, response, () => {
      isAllowed = true
    })
    return isAllowed
  }
}
