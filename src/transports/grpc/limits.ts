import type { AgeLimits } from './connection-age.ts'

/** The limits of a caller. Times are in milliseconds. */
export interface GrpcLimits extends AgeLimits {
  /** The largest request, in bytes. */
  readonly maxMessageBytes: number
  /** The number of concurrent calls on one connection. */
  readonly maxConcurrentStreams: number
  /** After this time, a connection without calls is closed. */
  readonly maxConnectionIdleMs: number
  /** How often a peer is pinged, and how long its answer may take. */
  readonly keepaliveTimeMs: number
  readonly keepaliveTimeoutMs: number
}

export const DEFAULT_LIMITS: GrpcLimits = Object.freeze({
  maxMessageBytes: 1024 * 1024,
  maxConcurrentStreams: 1_000,
  maxConnectionAgeMs: 30 * 60_000,
  maxConnectionAgeGraceMs: 60_000,
  maxConnectionIdleMs: 15 * 60_000,
  keepaliveTimeMs: 60_000,
  keepaliveTimeoutMs: 20_000,
})

/** A connection that sends nothing is closed after this time, in milliseconds. */
export const HANDSHAKE_MS = 10_000
