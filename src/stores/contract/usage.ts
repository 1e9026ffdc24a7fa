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

/** Where a list of usage goes on: behind this client on this day. */
export interface UsagePlace {
  readonly day: EpochMs
  readonly clientId: ClientId
}

export interface UsageReads {
  /** Client by client and day by day, the latest day first, then in byte order of the ids; `limit` at most. */
  page(ctx: StoreContext, filter: UsageFilter, after: UsagePlace | null, limit: number): Promise<readonly ClientUsage[]>
}

export interface UsageStore {
  /** Adds to the counts. Rows that are new are kept until `forgetAt`. */
  add(counts: readonly ScopeCount[], change: { readonly at: EpochMs; readonly forgetAt: EpochMs }): Promise<void>
}
