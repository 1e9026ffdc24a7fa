import type { Expected, Requests } from '../load/job.ts'
import type { Site } from './site.ts'

/** The expected load of the prepared requests. */
export interface Wanted {
  readonly inFlight: number
  readonly durationMs: number
}

/** One kind of call. */
export interface Row {
  readonly path: string
  readonly expected: Expected
  /** The number of tokens in a call. Rates are in tokens. */
  readonly tokensPerCall: number
  /** Prepares the requests of one measurement. Throws `NotAvailable`. */
  prepare(site: Site, wanted: Wanted): Promise<Requests>
}
