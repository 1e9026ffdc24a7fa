import type { DeviceAuthorization, DeviceAuthorizationStatus } from '../../domain/device-authorization.ts'
import type {
  ClientId,
  DeviceAuthorizationId,
  EpochMs,
  GrantId,
  KeyId,
  Milliseconds,
  TokenHash,
  UserCodeHash,
} from '../../domain/ids.ts'
import type { Change, StoreContext } from './context.ts'

export interface DeviceAuthorizationReads {
  findByDeviceCode(ctx: StoreContext, hash: TokenHash): Promise<DeviceAuthorizationStatus | null>
  /** The latest one with any of these hashes (one for each pepper). */
  findByUserCode(ctx: StoreContext, hashes: readonly UserCodeHash[]): Promise<DeviceAuthorizationStatus | null>
  /** The peppers of the user codes that can still be decided at `ctx.now`. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
  /**
   * The number of a client's authorizations that are undecided, unexpired at `ctx.now` and not revoked with its generation.
   * Exact while the client's row is locked.
   */
  countPending(ctx: StoreContext, clientId: ClientId): Promise<number>
}

export interface DeviceAuthorizationStore extends DeviceAuthorizationReads {
  /** `false`: a pending one has the same user code; roll back and draw another. */
  insert(authorization: DeviceAuthorization): Promise<boolean>
  /** Locks the row of a pending authorization until the end of the transaction, like `ClientStore.lock`. `false`: it has been decided. */
  lock(id: DeviceAuthorizationId): Promise<boolean>
  /** Records a poll and the new interval. The row must be locked. */
  notePoll(id: DeviceAuthorizationId, poll: { readonly at: EpochMs; readonly interval: Milliseconds }): Promise<void>
  /** Of any number of concurrent decisions, exactly one returns `true`. The user code may then be reused. */
  approve(id: DeviceAuthorizationId, grantId: GrantId, change: Change): Promise<boolean>
  /** As `approve`. */
  deny(id: DeviceAuthorizationId, change: Change): Promise<boolean>
  /** Spends an approved authorization. Of any number of concurrent calls, exactly one returns `true`. */
  redeem(id: DeviceAuthorizationId, change: Change): Promise<boolean>
}
