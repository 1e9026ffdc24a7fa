import type { User } from '../../domain/user.ts'
import { given } from '../condition.ts'
import { type ReferredUser, userExists } from '../conditions/user.ts'
import { defineFlow } from '../flow.ts'

/** One user, by either id. */
export const getUser = defineFlow({
  name: 'getUser',
  lane: 'read',
  preconditions: given<ReferredUser>().and(userExists),
  run: (_ctx, { user }): User => user,
  postconditions: [],
})
