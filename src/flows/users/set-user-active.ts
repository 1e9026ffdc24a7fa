import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { User } from '../../domain/user.ts'
import { HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { given, LOST_RACE, postcondition } from '../condition.ts'
import { type ReferredUser, userExists } from '../conditions/user.ts'
import { defineFlow } from '../flow.ts'

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
