import { success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { callerMayCheckTokens, type Viewer } from '../conditions/caller.ts'
import { type Found, lookUpVisible } from '../conditions/presented-token.ts'
import { defineFlow } from '../flow.ts'

interface PresentedTokens {
  /** As the caller was handed them; any strings. */
  readonly presented: readonly string[]
}

const presentedTokensAreLookedUp = condition<
  PresentedTokens & { readonly viewer: Viewer },
  { readonly found: readonly (Found | null)[] }
>('presentedTokensAreLookedUp', async (ctx, { presented, viewer }) =>
  success({ found: await Promise.all(presented.map((value) => lookUpVisible(ctx, viewer, value))) }),
)

/** RFC 7662, for one token or many: each if it is active and the caller's to see, else `null`; in their order. */
export const introspectTokens = defineFlow({
  name: 'introspectTokens',
  lane: 'read',
  preconditions: given<PresentedTokens>().and(callerMayCheckTokens).and(presentedTokensAreLookedUp),
  run: (_ctx, { found }) => found,
  postconditions: [],
})
