/** What a load process is asked to do, and what it answers; both travel between processes. */

/** Where requests come from. Messages are encoded already, without a gRPC prefix. */
export type Requests =
  /** Over and over. */
  | { readonly kind: 'cycle'; readonly messages: readonly Uint8Array[] }
  /** Each once; the measurement ends when they are used up. */
  | { readonly kind: 'once'; readonly messages: readonly Uint8Array[] }
  /** One a lane; the refresh token of each answer replaces the one at `tokenAt`. */
  | { readonly kind: 'rotate'; readonly messages: readonly Uint8Array[]; readonly tokenAt: number }

/** What a right answer looks like; anything else is counted as an error. */
export type Expected = 'some bytes' | 'no bytes' | 'anything'

interface Pace {
  readonly connections: number
  /** Calls under way at once, over all connections. */
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

/** POST of form bodies over HTTP/1.1, one connection for each call in flight. */
export interface Http1Job extends Pace {
  readonly protocol: 'http1'
  readonly port: number
  readonly path: string
  readonly authorization: string
  /** Over and over. */
  readonly bodies: readonly string[]
  /** What a right answer contains. */
  readonly contains: string
}

export type Job = GrpcJob | Http1Job

export interface LoadResult {
  /** Answered rightly, while it was measured. */
  readonly calls: number
  readonly seconds: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  /** Calls that failed, by gRPC status, or by a name of ours where there was none. */
  readonly errors: Readonly<Record<string, number>>
  readonly cpuSeconds: number
}

export type LoadMessage =
  | { readonly kind: 'begun' }
  | { readonly kind: 'ended'; readonly result: LoadResult }
  | { readonly kind: 'failed'; readonly reason: string }
