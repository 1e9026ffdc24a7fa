import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import { userId } from '../../domain/ids.ts'
import { mayTakeOn } from '../../domain/owner.ts'
import { momentOfChange, type User } from '../../domain/user.ts'
import { fail, HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import type { UserFilter } from '../../stores/contract/users.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { type ReferredUser, userEtagIsCurrent, userExists, userIsKnownOrNew } from '../conditions/user.ts'
import { defineFlow, query } from '../flow.ts'
import { pagedList } from '../paged-list.ts'

/** One user, by either id. */
export const getUser = query({
  name: 'getUser',
  preconditions: given<ReferredUser>().and(userExists),
  answer: (_ctx, { user }): User => user,
})

/** Users, most recently registered first. */
export const listUsers = pagedList({
  name: 'listUsers',
  list: 'users',
  read: (ctx, filter: UserFilter, { after, limit }) =>
    ctx.stores.users.page(ctx, filter, { after: after === null ? null : userId(after), limit }),
  keyOf: (user) => user.userId,
})

/** `etag`: the etag of the user as it was read; `null`: any version. */
type UserNamed = ReferredUser & { readonly etag: string | null }

interface RegisterUserRequest extends UserNamed {
  /** The new owner. `null`: the owner stays unchanged. */
  readonly owner: string | null
  /** Whether the owner may change if the user already has another one. */
  readonly adopt: boolean
  /** Of a new user. An existing one stays as it is. */
  readonly active: boolean
}

type Registering = Pick<RegisterUserRequest, 'owner' | 'adopt' | 'etag'> & {
  readonly user: User
  readonly userIsNew: boolean
}

/** A configuration may take over a user without an owner. It may take over one of another owner only on request. */
const ownerMayChange = condition<Registering>('ownerMayChange', (_ctx, { user, owner, adopt }) =>
  owner === null || mayTakeOn(user, owner, adopt) ? HOLDS : fail('resource.conflict', { because: 'owner' }),
)

function keepsOwner({ user, owner }: Pick<Registering, 'user' | 'owner'>): boolean {
  return owner === null || user.owner === owner
}

/** The user is unchanged since the evaluation, or still does not exist. Otherwise the flow is evaluated again. */
const userIsStored = postcondition<Registering & { readonly issued: User }, TransactionStores>(
  'userIsStored',
  async (ctx, { user, userIsNew, issued }) => {
    const { userId, owner, active, updatedAt, updatedBy } = issued
    if (userIsNew) {
      if (!(await ctx.stores.users.insert(issued))) return LOST_RACE
      await ctx.stores.auditLog.append(auditEvent(ctx, 'user.registered', { userId }))
      if (!active) await ctx.stores.auditLog.append(auditEvent(ctx, 'user.deactivated', { userId }))
      return HOLDS
    }
    const change = { at: updatedAt, by: updatedBy }
    if (!(await ctx.stores.users.setOwner(userId, owner, change, user.updatedAt))) return LOST_RACE
    await ctx.stores.auditLog.append(auditEvent(ctx, 'user.updated', { userId, metadata: { fields: 'owner' } }))
    return HOLDS
  },
)

/** Registers a user by external id, or finds the existing one. A configuration can also take over a user this way. */
export const registerUser = defineFlow({
  name: 'registerUser',
  lane: 'transaction',
  preconditions: given<RegisterUserRequest>().and(userIsKnownOrNew).and(userEtagIsCurrent).and(ownerMayChange),
  run: (ctx, { user, userIsNew, owner, active }): User => {
    if (userIsNew) return { ...user, owner, active }
    if (keepsOwner({ user, owner })) return user
    return { ...user, owner, updatedAt: momentOfChange(user, ctx.now), updatedBy: actorOf(ctx) }
  },
  skipWrite: (_ctx, { user, userIsNew, owner }) => !userIsNew && keepsOwner({ user, owner }),
  postconditions: [userIsStored],
})

const switchIsStored = postcondition<{ readonly user: User; readonly issued: User }, TransactionStores>(
  'switchIsStored',
  async (ctx, { user, issued: { userId, active, updatedAt, updatedBy } }) => {
    const change = { at: updatedAt, by: updatedBy }
    if (!(await ctx.stores.users.setActive(userId, active, change, user.updatedAt))) return LOST_RACE
    await ctx.stores.auditLog.append(auditEvent(ctx, active ? 'user.reactivated' : 'user.deactivated', { userId }))
    return HOLDS
  },
)

function defineSwitch(name: string, active: boolean) {
  return defineFlow({
    name,
    lane: 'transaction',
    preconditions: given<UserNamed>().and(userExists).and(userEtagIsCurrent),
    run: (ctx, { user }): User =>
      user.active === active
        ? user
        : { ...user, active, updatedAt: momentOfChange(user, ctx.now), updatedBy: actorOf(ctx) },
    skipWrite: (_ctx, { user }) => user.active === active,
    postconditions: [switchIsStored],
  })
}

/** All the user's tokens are inactive from the next call on. */
export const deactivateUser = defineSwitch('deactivateUser', false)

/** The user's unexpired tokens work again. */
export const reactivateUser = defineSwitch('reactivateUser', true)

const userIsDeleted = postcondition<{ readonly user: User }, TransactionStores>(
  'userIsDeleted',
  async (ctx, { user: { userId, updatedAt } }) => {
    const change = { at: ctx.now, by: actorOf(ctx) }
    if (!(await ctx.stores.users.delete(userId, change, updatedAt))) return LOST_RACE
    await ctx.stores.auditLog.append(auditEvent(ctx, 'user.deleted', { userId }))
    return HOLDS
  },
)

/** Deletes a user. All its tokens are inactive from the next call on. */
export const deleteUser = defineFlow({
  name: 'deleteUser',
  lane: 'transaction',
  preconditions: given<UserNamed>().and(userExists).and(userEtagIsCurrent),
  run: () => null,
  postconditions: [userIsDeleted],
})
