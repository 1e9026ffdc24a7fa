/** What a connection may use up. Times are milliseconds. */
export interface HttpLimits {
  /** The largest request, in bytes. */
  readonly maxMessageBytes: number
  readonly maxHeaderBytes: number
  /** At once; more are refused, so that gRPC and the database keep their file descriptors. */
  readonly maxConnections: number
  /** From the first byte, or from the beginning of the connection. */
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  /** How often connections are held against these two. */
  readonly timeoutCheckMs: number
  /** Longer than what load balancers keep their end open for: these must be the ones to close. */
  readonly keepAliveMs: number
  /** Without a byte in either direction; streams send something every 15 seconds. */
  readonly silenceMs: number
  readonly handshakeTimeoutMs: number
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = Object.freeze({
  maxMessageBytes: 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxConnections: 4_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  timeoutCheckMs: 5_000,
  keepAliveMs: 75_000,
  silenceMs: 120_000,
  handshakeTimeoutMs: 10_000,
})
