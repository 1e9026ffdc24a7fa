import type { ServerCall } from './server-call.ts'

/** Who is told what becomes of a call. None of its methods may throw. */
export interface CallListener {
  /** The call ended before it was answered: cancelled, its connection lost, its deadline over. At most once, and not after its answer. */
  cancelled(): void
  /** After a `write` that answered false: the peer has read enough. */
  drained(): void
}

/** Who is told of the requests of a stream as well. */
export interface RequestListener extends CallListener {
  /** `compressed`: whether it was when it came. */
  request(message: Buffer, compressed: boolean): void
  /** The peer sends no more. */
  requestsEnded(): void
}

/** A method with one request. It begins when that has arrived, and nothing after it. */
export interface SingleRequestMethod {
  readonly kind: 'unary' | 'serverStream'
  /** Such as `/grpc.health.v1.Health/Check`. */
  readonly path: string
  /** Whether what it begins ends by itself at the deadline of the call; else the call is ended for it, by a timer of its own. */
  readonly keepsDeadline: boolean
  /** Must not throw, and calls `release` of the call in the end. */
  begin(call: ServerCall, request: Buffer, compressed: boolean): CallListener
}

/** A method whose requests are a stream. It begins before the first of them. */
export interface StreamRequestMethod {
  readonly kind: 'clientStream' | 'bidi'
  readonly path: string
  readonly keepsDeadline: boolean
  /** As that of the others. */
  begin(call: ServerCall): RequestListener
}

/** What is served at a path. */
export type Method = SingleRequestMethod | StreamRequestMethod
