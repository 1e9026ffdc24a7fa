import type { EpochMs, UserId } from '../../domain/ids.ts'
import type { User } from '../../domain/user.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface UserFilter {
  readonly active: boolean | null
  /** The owner's mark on the user. */
  readonly owner: string | null
}

export interface UserReads {
  /** The user, active or not; `null` if it does not exist or was deleted. */
  find(ctx: StoreContext, userId: UserId): Promise<User | null>
  findByExternalId(ctx: StoreContext, externalId: string): Promise<User | null>
  /** In descending order of the ids, so the last registered user comes first; without deleted ones. */
  page(ctx: StoreContext, filter: UserFilter, page: PageRequest<UserId>): Promise<readonly User[]>
}

/** Each change is later than the previous one. A change can require that the user has not changed since a moment. */
export interface UserStore extends UserReads {
  /** Of any number of concurrent calls with one external id, exactly one returns `true`. After `false`, roll back. */
  insert(user: User): Promise<boolean>
  /** `false`: the user does not exist, is already in this state, or has changed since. */
  setActive(userId: UserId, active: boolean, change: Change, unchangedSince?: EpochMs): Promise<boolean>
  /** `false`: the user does not exist, or has changed since. */
  setOwner(userId: UserId, owner: string | null, change: Change, unchangedSince: EpochMs): Promise<boolean>
  /** Ends all existing tokens, codes and grants of the user. `false`: the user does not exist. */
  startTokenGeneration(userId: UserId, change: Change): Promise<boolean>
  /**
   * The tokens become inactive, and the external id can be reused. Of any number of concurrent calls, one returns `true`.
   * None does if the user has changed since.
   */
  delete(userId: UserId, change: Change, unchangedSince?: EpochMs): Promise<boolean>
}
