import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { User } from '../../domain/user.ts'
import { HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { given, LOST_RACE, postcondition } from '../condition.ts'
import { type ReferredUser, userExists } from '../conditions/user.ts'
import { defineFlow } from '../flow.ts'

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
