import type { Expected, Requests } from '../load/job.ts'
import type { Site } from './site.ts'

/** What will be asked of the prepared requests. */
export interface Wanted {
  readonly inFlight: number
  readonly durationMs: number
}

/** One kind of call. */
export interface Row {
  readonly path: string
  readonly expected: Expected
  /** How many tokens a call is about; rates are told in tokens. */
  readonly tokensPerCall: number
  /** Makes the requests of one measurement; throws `NotAvailable`. */
  prepare(site: Site, wanted: Wanted): Promise<Requests>
}
