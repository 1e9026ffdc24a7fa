import type { Span } from '../../context.ts'
import type { StoreFault } from './errors.ts'

/** The kinds of look-ups that are sent in batches. */
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

/** The part of concurrent calls that is sent to the database together. */
export interface SentBatch {
  /** The number of look-ups or of entries. */
  readonly size: number
  /** The longest waiting time in the batch, in milliseconds. */
  readonly waitedMs: number
  /** The spans of the traced calls in the batch. */
  readonly spans: readonly Span[]
}

/** Why the database did not complete an operation; `other`: the caller no longer waits, or a bug. */
export type Failure = StoreFault | 'other'

/** Called once when the operation has ended; `null`: it succeeded. */
export type Over = (failure: Failure | null) => void

/** Why an operation is tried again. */
export const RETRY_CAUSES = Object.freeze(['conflict', 'busy', 'lost'] as const)
export type RetryCause = (typeof RETRY_CAUSES)[number]

/** Observes the stores. The methods are called in the path of calls, so they must be fast and never throw. */
export interface StoreObserver {
  /** Returns the callback for batches of these look-ups, which is called before they are sent. Called once for each kind. */
  ofReads(lookUp: LookUp): (batch: SentBatch) => Over
  /**
   * A batch of entries is sent. It is written in one transaction, which it may share with other batches. If that fails, it
   * may be sent again.
   */
  appendSent(batch: SentBatch): Over
  /** A batch finally failed, and its callers get the error. */
  appendFailed(failure: Failure): void
  /** A transaction that decides a race begins. Further attempts are part of it. */
  transactionBegun(span: Span | undefined): Over
  /** An operation that was rolled back is tried again. */
  triedAgain(lane: 'append' | 'transaction', cause: RetryCause): void
}
