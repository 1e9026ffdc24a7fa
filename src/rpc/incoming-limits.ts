/** The memory and time limits of calls whose messages are arriving. */
export interface IncomingLimits {
  /** All calls together, in bytes. */
  readonly totalBytes: number
  /** The calls of one connection. More is read when some of it has arrived. */
  readonly connectionBytes: number
  /** How long a message may take to arrive, in milliseconds. */
  readonly arrivalMs: number
  /** The same, from when the server stops. */
  readonly stoppingArrivalMs: number
}

export const DEFAULT_INCOMING_LIMITS: IncomingLimits = Object.freeze({
  totalBytes: 48 * 1024 * 1024,
  connectionBytes: 16 * 1024 * 1024,
  arrivalMs: 30_000,
  stoppingArrivalMs: 5_000,
})
