/** A job for a load process and its result. Both are sent between processes. */

/** The source of requests. Messages are encoded, without a gRPC prefix. */
export type Requests =
  /** Repeatedly. */
  | { readonly kind: 'cycle'; readonly messages: readonly Uint8Array[] }
  /** Each once. The measurement ends when they are used up. */
  | { readonly kind: 'once'; readonly messages: readonly Uint8Array[] }
  /** One for each lane. The refresh token of each answer replaces the one at `tokenAt`. */
  | { readonly kind: 'rotate'; readonly messages: readonly Uint8Array[]; readonly tokenAt: number }

/** The expected answer. Others count as errors. */
export type Expected = 'some bytes' | 'no bytes' | 'anything'

interface Pace {
  readonly connections: number
  /** The number of calls in progress over all connections. */
  readonly inFlight: number
  readonly durationMs: number
}

export interface GrpcJob extends Pace {
  readonly protocol: 'grpc'
  readonly port: number
  /** Such as `/qscope.v1.TokenService/MintToken`. */
  readonly path: string
  readonly requests: Requests
  readonly expected: Expected
}

/** POST requests with form bodies over HTTP/1.1. Each call in progress has its own connection. */
export interface Http1Job extends Pace {
  readonly protocol: 'http1'
  readonly port: number
  readonly path: string
  readonly authorization: string
  /** Repeatedly. */
  readonly bodies: readonly string[]
  /** A text that a correct answer contains. */
  readonly contains: string
}

export type Job = GrpcJob | Http1Job

export interface LoadResult {
  /** The number of correct answers during the measurement. */
  readonly calls: number
  readonly seconds: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  /** The number of failed calls by gRPC status, or by another name if there was none. */
  readonly errors: Readonly<Record<string, number>>
  readonly cpuSeconds: number
}

export type LoadMessage =
  | { readonly kind: 'begun' }
  | { readonly kind: 'ended'; readonly result: LoadResult }
  | { readonly kind: 'failed'; readonly reason: string }
