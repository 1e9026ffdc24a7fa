import type { Span } from '../../context.ts'
import type { StoreFault } from './errors.ts'

/** Look-ups that travel in batches, by what they look for. */
const LOOK_UPS = Object.freeze([
  'clients',
  'client_secrets',
  'closed_audiences',
  'authorization_codes',
  'access_tokens',
  'access_tokens_by_id',
  'refresh_tokens',
  'refresh_tokens_by_id',
  'device_authorizations',
  'signing_keys',
  'active_signing_keys',
  'trusted_issuers',
] as const)

export type LookUp = (typeof LOOK_UPS)[number]

/** What concurrent calls send to the database together. */
export interface SentBatch {
  /** Look-ups, or entries to be written. */
  readonly size: number
  /** How long the one waited that waited longest. */
  readonly waitedMs: number
  /** Of the calls in it that are traced. */
  readonly spans: readonly Span[]
}

/** Why the database did not do something; `other`: nobody waits for it any more, or a bug. */
export type Failure = StoreFault | 'other'

/** Told once that what was begun is over; `null`: the database did it. */
export type Over = (failure: Failure | null) => void

/** Why something is tried again. */
export const RETRY_CAUSES = Object.freeze(['conflict', 'busy', 'lost'] as const)
export type RetryCause = (typeof RETRY_CAUSES)[number]

/** Sees what the stores do. It is told in the path of calls, so it is quick and never throws. */
export interface StoreObserver {
  /** Whom batches of these look-ups are told, before they are sent. Asked once for each. */
  ofReads(lookUp: LookUp): (batch: SentBatch) => Over
  /** A batch of entries is sent to be written in one transaction, which it may share with other batches. If that fails, it may be sent again. */
  appendSent(batch: SentBatch): Over
  /** A batch failed for good: its callers are told. */
  appendFailed(failure: Failure): void
  /** A transaction that decides a race begins; whatever is tried again is part of it. */
  transactionBegun(span: Span | undefined): Over
  /** What was rolled back is tried again. */
  triedAgain(lane: 'append' | 'transaction', cause: RetryCause): void
}
