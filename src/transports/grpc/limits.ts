import type { AgeLimits } from './connection-age.ts'

/** What a caller may use up. Times are milliseconds. */
export interface GrpcLimits extends AgeLimits {
  /** The largest request, in bytes. */
  readonly maxMessageBytes: number
  /** Calls at once on one connection. */
  readonly maxConcurrentStreams: number
  /** After this a connection without calls is closed. */
  readonly maxConnectionIdleMs: number
  /** How often a peer is pinged, and how long it may take to answer. */
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

/** Whoever opens a connection and sends nothing does not keep it. */
export const HANDSHAKE_MS = 10_000
