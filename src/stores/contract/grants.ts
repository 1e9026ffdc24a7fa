import type { Grant, GrantStatus } from '../../domain/grant.ts'
import type { EpochMs, GrantId } from '../../domain/ids.ts'
import type { Change, StoreContext } from './context.ts'

export interface GrantReads {
  find(ctx: StoreContext, grantId: GrantId): Promise<GrantStatus | null>
}

export interface GrantStore extends GrantReads {
  insert(grant: Grant): Promise<void>
  /** Ends the family. Of any number of concurrent calls, exactly one returns `true`; `false`: revoked already, or unknown. */
  revoke(grantId: GrantId, reason: string, change: Change): Promise<boolean>
  /**
   * Takes the grant's row until the end of the transaction, like
   * `ClientStore.lock`, and lets it be kept at least until `tokensUntil`.
   * `false`: it is revoked, or unknown.
   */
  lock(grantId: GrantId, tokensUntil: EpochMs): Promise<boolean>
}
