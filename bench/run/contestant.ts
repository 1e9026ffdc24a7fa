import type { Job } from '../load/job.ts'
import type { Watched } from './sample.ts'

/** Something to be measured, side by side with others. */
export interface Contestant {
  readonly name: string
  readonly tokensPerCall: number
  readonly watched: Watched
  /** Makes the job of one measurement; throws `NotAvailable`. */
  job(durationMs: number): Promise<Job>
}

/** Connections of the load: several, as there are several callers, and as workers share them out. */
const CONNECTIONS = 8

export function connectionsFor(inFlight: number): number {
  return Math.min(CONNECTIONS, inFlight)
}
