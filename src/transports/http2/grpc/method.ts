import type { ServerCall } from './server-call.ts'

/** Gets the events of a call. None of its methods may throw. */
export interface CallListener {
  /**
   * The call ended before it was answered: it was cancelled, its connection was lost, or its deadline passed. Called at most
   * once, and not after the answer.
   */
  cancelled(): void
  /** Called after `write` returned false, when the peer has read enough. */
  drained(): void
}

/** A listener that also gets the requests of a stream. */
export interface RequestListener extends CallListener {
  /** `compressed`: whether the request was compressed when it arrived. */
  request(message: Buffer, compressed: boolean): void
  /** The peer sends no more requests. */
  requestsEnded(): void
}

/** A method with one request. It begins when the request and the end of the requests have arrived. */
export interface SingleRequestMethod {
  readonly kind: 'unary' | 'serverStream'
  /** Such as `/grpc.health.v1.Health/Check`. */
  readonly path: string
  /** Whether the method ends by itself at the deadline of the call. If not, a timer of the call ends it. */
  readonly keepsDeadline: boolean
  /** Must not throw. The method has to call `release` of the call in the end. */
  begin(call: ServerCall, request: Buffer, compressed: boolean): CallListener
}

/** A method with a stream of requests. It begins before the first request. */
export interface StreamRequestMethod {
  readonly kind: 'clientStream' | 'bidi'
  readonly path: string
  readonly keepsDeadline: boolean
  /** As `begin` of a method with one request. */
  begin(call: ServerCall): RequestListener
}

/** A method that is served at a path. */
export type Method = SingleRequestMethod | StreamRequestMethod
