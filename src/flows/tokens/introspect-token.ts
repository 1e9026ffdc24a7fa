import type { AccessToken } from '../../domain/access-token.ts'
import { given } from '../condition.ts'
import { callerMayCheckTokens } from '../conditions/caller.ts'
import { type PresentedToken, presentedTokenIsLookedUp, visibleToken } from '../conditions/presented-token.ts'
import { defineFlow } from '../flow.ts'

/** RFC 7662: the token if it is active and the caller's to see, else `null`. */
export const introspectToken = defineFlow({
  name: 'introspectToken',
  lane: 'read',
  preconditions: given<PresentedToken>().and(callerMayCheckTokens).and(presentedTokenIsLookedUp),
  run: (ctx, { viewer, standing }): AccessToken | null => visibleToken(ctx, viewer, standing),
  postconditions: [],
})
