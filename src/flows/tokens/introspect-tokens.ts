import { noteRefusal } from '../../auth/token-refusal.ts'
import { success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { callerMayCheckTokens, type Viewer } from '../conditions/caller.ts'
import { type Found, type Judged, judgePresented } from '../conditions/presented-token.ts'
import type { FlowContext } from '../context.ts'
import { defineFlow } from '../flow.ts'

interface PresentedTokens {
  /** As the caller was handed them; any strings. */
  readonly presented: readonly string[]
}

const presentedTokensAreLookedUp = condition<
  PresentedTokens & { readonly viewer: Viewer },
  { readonly found: readonly (Found | null)[] }
>('presentedTokensAreLookedUp', async (ctx, { presented, viewer }) => {
  const judged = await Promise.all(presented.map((value) => judgePresented(ctx, viewer, value)))
  noteRefusals(ctx, judged)
  return success({ found: judged.map(({ found, refusal }) => (refusal === null ? found : null)) })
})

/** A call leaves no more lines than these, however many tokens it asks about. */
const MAX_NOTED = 20

function noteRefusals(ctx: FlowContext, judged: readonly Judged[]): void {
  let noted = 0
  let more = 0
  for (const { found, refusal } of judged) {
    if (refusal === null) continue
    if (found !== null && noted === MAX_NOTED) {
      more += 1
      continue
    }
    if (found !== null) noted += 1
    noteRefusal(ctx, refusal, found?.standing.token ?? null)
  }
  if (more > 0) ctx.log.info({ rayId: ctx.rayId, more }, 'more tokens of this call were refused')
}

/** RFC 7662, for one token or many: each if it is active and the caller's to see, else `null`; in their order. */
export const introspectTokens = defineFlow({
  name: 'introspectTokens',
  lane: 'read',
  preconditions: given<PresentedTokens>().and(callerMayCheckTokens).and(presentedTokensAreLookedUp),
  run: (_ctx, { found }) => found,
  postconditions: [],
})
