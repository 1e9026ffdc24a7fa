import type { EpochMs, UserId } from '../../domain/ids.ts'
import type { User } from '../../domain/user.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface UserFilter {
  readonly active: boolean | null
  /** Whose mark it has. */
  readonly owner: string | null
}

export interface UserReads {
  /** The user, active or not; `null` if there is none or it was deleted. */
  find(ctx: StoreContext, userId: UserId): Promise<User | null>
  findByExternalId(ctx: StoreContext, externalId: string): Promise<User | null>
  /** The last registered first (descending order of the ids), deleted ones left out. */
  page(ctx: StoreContext, filter: UserFilter, page: PageRequest<UserId>): Promise<readonly User[]>
}

/** Each change is at a moment later than the one before, and may be made only of a user that has not changed since then. */
export interface UserStore extends UserReads {
  /** Of any number of concurrent calls with one external id, exactly one returns `true`; after `false` roll back. */
  insert(user: User): Promise<boolean>
  /** `false`: there is no such user, it is so already, or it has changed since. */
  setActive(userId: UserId, active: boolean, change: Change, unchangedSince?: EpochMs): Promise<boolean>
  /** `false`: there is no such user, or it has changed since. */
  setOwner(userId: UserId, owner: string | null, change: Change, unchangedSince: EpochMs): Promise<boolean>
  /** Ends every token, code and grant of the user made until now. `false`: there is no such user. */
  startTokenGeneration(userId: UserId, change: Change): Promise<boolean>
  /**
   * The tokens become inactive; the external id is free again. Of any number of concurrent calls, one returns `true`;
   * none does where the user has changed since.
   */
  delete(userId: UserId, change: Change, unchangedSince?: EpochMs): Promise<boolean>
}
