import type { PortMethod, SingleRequestMethod, StreamRequestMethod } from '../grpc/transport.ts'
import type {
  CallListener,
  SingleRequestMethod as CarriedSingle,
  StreamRequestMethod as CarriedStream,
  Method,
  RequestListener,
} from '../http2/grpc/method.ts'
import type { ServerCall } from '../http2/grpc/server-call.ts'
import type { AnswerHeaders } from './answer-headers.ts'
import { NativeCall } from './call.ts'
import type { NativeConnection } from './connection.ts'

/** The services that all calls of a transport share. */
export interface CallCarrier {
  readonly headers: AnswerHeaders
  connectionOf(call: ServerCall): NativeConnection
}

/** A method of the port, as the native transport serves it. `carrier` is available when the first call begins. */
export function nativeMethod(method: PortMethod, carrier: () => CallCarrier): Method {
  switch (method.kind) {
    case 'unary':
    case 'serverStream':
      return new SingleMethod(method, carrier)
    case 'bidi':
      return new StreamMethod(method, carrier)
    default:
      return method satisfies never
  }
}

class SingleMethod implements CarriedSingle {
  readonly kind: 'unary' | 'serverStream'
  readonly path: string
  readonly keepsDeadline: boolean
  readonly #method: SingleRequestMethod
  readonly #carrier: () => CallCarrier

  constructor(method: SingleRequestMethod, carrier: () => CallCarrier) {
    this.kind = method.kind
    this.path = method.path
    this.keepsDeadline = method.keepsDeadline
    this.#method = method
    this.#carrier = carrier
  }

  begin(call: ServerCall, request: Buffer): CallListener {
    const carrier = this.#carrier()
    const carried = new NativeCall(call, carrier.connectionOf(call), carrier.headers)
    return carried.listenedBy(this.#method.begin(carried, request))
  }
}

class StreamMethod implements CarriedStream {
  readonly kind = 'bidi'
  readonly path: string
  readonly keepsDeadline = false
  readonly #method: StreamRequestMethod
  readonly #carrier: () => CallCarrier

  constructor(method: StreamRequestMethod, carrier: () => CallCarrier) {
    this.path = method.path
    this.#method = method
    this.#carrier = carrier
  }

  begin(call: ServerCall): RequestListener {
    const carrier = this.#carrier()
    const carried = new NativeCall(call, carrier.connectionOf(call), carrier.headers)
    return carried.requestsReadBy(this.#method.begin(carried))
  }
}
