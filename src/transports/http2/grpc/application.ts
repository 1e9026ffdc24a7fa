import type { Http2Application, Http2Connection, Http2Stream, RequestHeaders, StreamHandler } from '../application.ts'
import { HeaderField } from '../hpack/header-field.ts'
import { refusal } from '../refusals.ts'
import { GrpcCall } from './call.ts'
import type { CallServices } from './call-services.ts'
import { GZIP, IDENTITY, Inflater } from './compression.ts'
import { HeaderBlocks } from './header-blocks.ts'
import type { Method } from './method.ts'
import type { ReceiveBudget } from './receive-budget.ts'
import { RefusedRequest } from './refused-request.ts'
import { type CallStatus, callStatus, OK, StatusCode } from './status.ts'
import { timeoutOf } from './timeout.ts'

const CONTENT_TYPE = 'application/grpc'
/** The number of characters of a name that are repeated in a message. Most names are shorter. */
const MAX_NAME = 64
/** The media type may name the encoding of messages and have parameters. Case does not matter (RFC 9110 §8.3.1). */
const GRPC = /^application\/grpc(?:\+[^;\s]*)?(?:[ \t]*;.*)?$/i

/** Gets the events of connections. */
export interface ConnectionObserver {
  opened(connection: Http2Connection): void
  /** Called after the events of its calls. */
  closed(connection: Http2Connection): void
}

export interface GrpcApplicationOptions {
  readonly methods: Iterable<Method>
  /** The largest request in bytes, before and after decompression. */
  readonly maxMessageBytes: number
  /** The content type of answers. Default: `application/grpc`. */
  readonly contentType?: string
  readonly budget?: ReceiveBudget
  readonly connections?: ConnectionObserver
}

/** A handler that ignores all events. */
const NOBODY: StreamHandler = Object.freeze({
  data: () => undefined,
  trailers: () => undefined,
  aborted: () => undefined,
  drained: () => undefined,
})

/**
 * gRPC over HTTP/2: creates calls from requests, and passes them to the served methods. It is used with an `Http2Server`:
 *
 *     const application = new GrpcApplication({ methods: [echo], maxMessageBytes: 4 * 1024 * 1024 })
 *     const { port } = await new Http2Server({ application, onError }).listen({ host: '127.0.0.1', port: 0 })
 */
export class GrpcApplication implements Http2Application {
  /** Creates the header blocks of answers. */
  readonly blocks: HeaderBlocks
  readonly #methods = new Map<string, Method>()
  readonly #services: CallServices
  readonly #connections: ConnectionObserver | null
  readonly #notAllowed = refusal(405, 'A call of gRPC is a POST.', new HeaderField('allow', 'POST'))
  readonly #wrongType = refusal(415, `A call of gRPC is ${CONTENT_TYPE}.`, new HeaderField('accept', CONTENT_TYPE))
  /** Calls that began in this turn and whose requests had not all arrived. */
  #arriving: GrpcCall[] = []

  constructor({ methods, maxMessageBytes, contentType = CONTENT_TYPE, budget, connections }: GrpcApplicationOptions) {
    this.blocks = new HeaderBlocks({ contentType })
    for (const method of methods) this.#methods.set(method.path, method)
    this.#services = {
      maxMessageBytes,
      blocks: this.blocks,
      okTrailers: this.blocks.trailers(OK),
      inflater: new Inflater(maxMessageBytes),
      budget: budget ?? null,
    }
    this.#connections = connections ?? null
  }

  opened(connection: Http2Connection): void {
    this.#connections?.opened(connection)
  }

  closed(connection: Http2Connection): void {
    this.#connections?.closed(connection)
  }

  request(stream: Http2Stream, headers: RequestHeaders, endStream: boolean): StreamHandler {
    if (headers.method !== 'POST') return new RefusedRequest(stream, this.#notAllowed, endStream)
    const contentType = headers.get('content-type')
    if (contentType === undefined || !(contentType === CONTENT_TYPE || GRPC.test(contentType))) {
      return new RefusedRequest(stream, this.#wrongType, endStream)
    }
    const method = this.#methods.get(headers.path)
    if (method === undefined) {
      return this.#fail(stream, callStatus(StatusCode.UNIMPLEMENTED, 'The server has no such method.'))
    }
    const encoding = headers.get('grpc-encoding')
    if (encoding !== undefined && encoding !== IDENTITY && encoding !== GZIP) {
      return this.#fail(stream, callStatus(StatusCode.UNIMPLEMENTED, 'The server does not know this grpc-encoding.'))
    }
    const timeout = headers.get('grpc-timeout')
    const timeoutMs = timeout === undefined ? Number.POSITIVE_INFINITY : timeoutOf(timeout)
    if (timeoutMs === null) return this.#fail(stream, callStatus(StatusCode.INTERNAL, 'The grpc-timeout is malformed.'))
    const deadline = timeoutMs === Number.POSITIVE_INFINITY ? null : Math.ceil(Date.now() + timeoutMs)
    const call = new GrpcCall(stream, headers, method, deadline, this.#services)
    if (!endStream) this.#watch(call)
    call.begin(endStream)
    return call
  }

  malformed({ method }: RequestHeaders, field: string): Uint8Array | null {
    if (method !== 'POST') return null
    const message = `The header field ${field.slice(0, MAX_NAME)} is not one that HTTP/2 allows: its name, or its value.`
    return this.blocks.trailersOnly(callStatus(StatusCode.INVALID_ARGUMENT, message))
  }

  /** Ends a call that needs no further handling. */
  #fail(stream: Http2Stream, status: CallStatus): StreamHandler {
    stream.respond(this.blocks.trailersOnly(status), null, null)
    stream.released()
    return NOBODY
  }

  /** Checks the call at the end of the turn. Most calls have completely arrived by then. */
  #watch(call: GrpcCall): void {
    if (this.#arriving.length === 0) setImmediate(this.#turnOver)
    this.#arriving.push(call)
  }

  readonly #turnOver = (): void => {
    const arriving = this.#arriving
    this.#arriving = []
    for (const call of arriving) call.turnOver()
  }
}
