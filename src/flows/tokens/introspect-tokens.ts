import type { AccessToken, AccessTokenStanding } from '../../domain/access-token.ts'
import { success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { callerMayCheckTokens } from '../conditions/caller.ts'
import { lookUpAccessToken, visibleToken } from '../conditions/presented-token.ts'
import { defineFlow } from '../flow.ts'

interface PresentedTokens {
  readonly presented: readonly string[]
}

const presentedTokensAreLookedUp = condition<
  PresentedTokens,
  { readonly standings: readonly (AccessTokenStanding | null)[] }
>('presentedTokensAreLookedUp', async (ctx, { presented }) =>
  success({ standings: await Promise.all(presented.map((value) => lookUpAccessToken(ctx, value))) }),
)

/** RFC 7662 for several tokens, answered in their order. */
export const introspectTokens = defineFlow({
  name: 'introspectTokens',
  lane: 'read',
  preconditions: given<PresentedTokens>().and(callerMayCheckTokens).and(presentedTokensAreLookedUp),
  run: (ctx, { viewer, standings }): readonly (AccessToken | null)[] =>
    standings.map((standing) => visibleToken(ctx, viewer, standing)),
  postconditions: [],
})
