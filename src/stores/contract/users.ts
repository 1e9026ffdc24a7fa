import type { UserId } from '../../domain/ids.ts'
import type { User } from '../../domain/user.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface UserFilter {
  readonly active: boolean | null
}

export interface UserReads {
  /** The user, active or not; `null` if there is none or it was deleted. */
  find(ctx: StoreContext, userId: UserId): Promise<User | null>
  findByExternalId(ctx: StoreContext, externalId: string): Promise<User | null>
  /** The last registered first (descending order of the ids), deleted ones left out. */
  page(ctx: StoreContext, filter: UserFilter, page: PageRequest<UserId>): Promise<readonly User[]>
}

export interface UserStore extends UserReads {
  /** Of any number of concurrent calls with one external id, exactly one returns `true`; after `false` roll back. */
  insert(user: User): Promise<boolean>
  /** `false`: there is no such user, or it is so already. */
  setActive(userId: UserId, active: boolean, change: Change): Promise<boolean>
  /** Ends every token, code and grant of the user made until now. `false`: there is no such user. */
  startTokenGeneration(userId: UserId, change: Change): Promise<boolean>
  /** The tokens become inactive; the external id is free again. Of any number of concurrent calls, one returns `true`. */
  delete(userId: UserId, change: Change): Promise<boolean>
}
