import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import { userId } from '../../domain/ids.ts'
import type { User } from '../../domain/user.ts'
import { HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import type { UserFilter } from '../../stores/contract/users.ts'
import { given, LOST_RACE, postcondition } from '../condition.ts'
import { type ReferredUser, userExists, userIsKnownOrNew } from '../conditions/user.ts'
import { defineFlow, query } from '../flow.ts'
import { pagedList } from '../paged-list.ts'

/** One user, by either id. */
export const getUser = query({
  name: 'getUser',
  preconditions: given<ReferredUser>().and(userExists),
  answer: (_ctx, { user }): User => user,
})

/** Users, the last registered first. */
export const listUsers = pagedList({
  name: 'listUsers',
  list: 'users',
  read: (ctx, filter: UserFilter, { after, limit }) =>
    ctx.stores.users.page(ctx, filter, { after: after === null ? null : userId(after), limit }),
  keyOf: (user) => user.userId,
})

const userIsStored = postcondition<{ readonly issued: User }, TransactionStores>(
  'userIsStored',
  async (ctx, { issued }) => {
    if (!(await ctx.stores.users.insert(issued))) return LOST_RACE
    await ctx.stores.auditLog.append(auditEvent(ctx, 'user.registered', { userId: issued.userId }))
    return HOLDS
  },
)

/** Registers a user by external id, or finds the one who has it. */
export const registerUser = defineFlow({
  name: 'registerUser',
  lane: 'transaction',
  preconditions: given<ReferredUser>().and(userIsKnownOrNew),
  run: (_ctx, { user }): User => user,
  skipWrite: (_ctx, { userIsNew }) => !userIsNew,
  postconditions: [userIsStored],
})

const switchIsStored = postcondition<{ readonly issued: User }, TransactionStores>(
  'switchIsStored',
  async (ctx, { issued: { userId, active, updatedAt, updatedBy } }) => {
    if (!(await ctx.stores.users.setActive(userId, active, { at: updatedAt, by: updatedBy }))) return LOST_RACE
    await ctx.stores.auditLog.append(auditEvent(ctx, active ? 'user.reactivated' : 'user.deactivated', { userId }))
    return HOLDS
  },
)

function defineSwitch(name: string, active: boolean) {
  return defineFlow({
    name,
    lane: 'transaction',
    preconditions: given<ReferredUser>().and(userExists),
    run: (ctx, { user }): User =>
      user.active === active ? user : { ...user, active, updatedAt: ctx.now, updatedBy: actorOf(ctx) },
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
  async (ctx, { user: { userId } }) => {
    if (!(await ctx.stores.users.delete(userId, { at: ctx.now, by: actorOf(ctx) }))) return LOST_RACE
    await ctx.stores.auditLog.append(auditEvent(ctx, 'user.deleted', { userId }))
    return HOLDS
  },
)

/** Removes a user; all its tokens are inactive from the next call on. */
export const deleteUser = defineFlow({
  name: 'deleteUser',
  lane: 'transaction',
  preconditions: given<ReferredUser>().and(userExists),
  run: () => null,
  postconditions: [userIsDeleted],
})
