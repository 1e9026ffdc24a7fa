import type { Job } from '../load/job.ts'
import type { Watched } from './sample.ts'

/** A server that is measured side by side with others. */
export interface Contestant {
  readonly name: string
  readonly tokensPerCall: number
  readonly watched: Watched
  /** Prepares the job of one measurement. Throws `NotAvailable`. */
  job(durationMs: number): Promise<Job>
}

/** The connections of the load. There are several, as with several callers, so that workers share them. */
const CONNECTIONS = 8

export function connectionsFor(inFlight: number): number {
  return Math.min(CONNECTIONS, inFlight)
}
