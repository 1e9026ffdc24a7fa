import type { ClientId, EpochMs } from '../../domain/ids.ts'
import type { ClientUsage, ScopeCount } from '../../domain/usage.ts'
import type { StoreContext } from './context.ts'

export interface UsageFilter {
  readonly clientId: ClientId | null
  /** Days that begin at or after. */
  readonly from: EpochMs | null
  /** Before. */
  readonly until: EpochMs | null
}

/** The position at which a list of usage continues: after this client on this day. */
export interface UsagePlace {
  readonly day: EpochMs
  readonly clientId: ClientId
}

export interface UsageReads {
  /** Ordered by the day, latest first, then by the byte order of the client ids; at most `limit`. */
  page(ctx: StoreContext, filter: UsageFilter, after: UsagePlace | null, limit: number): Promise<readonly ClientUsage[]>
}

export interface UsageStore {
  /** Adds to the counts. New rows are kept until `forgetAt`. */
  add(counts: readonly ScopeCount[], change: { readonly at: EpochMs; readonly forgetAt: EpochMs }): Promise<void>
}
