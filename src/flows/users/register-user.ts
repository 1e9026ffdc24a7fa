import { auditEvent } from '../../audit-event.ts'
import type { User } from '../../domain/user.ts'
import { HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { given, LOST_RACE, postcondition } from '../condition.ts'
import { type ReferredUser, userIsKnownOrNew } from '../conditions/user.ts'
import { defineFlow } from '../flow.ts'

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
