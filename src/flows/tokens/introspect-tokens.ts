import { noteRefusal } from '../../auth/token-refusal.ts'
import { given } from '../condition.ts'
import { callerMayCheckTokens } from '../conditions/caller.ts'
import { type ActiveToken, type EvaluatedToken, evaluateToken } from '../conditions/presented-token.ts'
import type { FlowContext } from '../context.ts'
import { query } from '../flow.ts'

interface PresentedTokens {
  /** As the caller received them; any strings. */
  readonly presented: readonly string[]
}

/** The maximum number of log lines for a call, however many tokens it contains. */
const MAX_NOTED = 20

function noteRefusals(ctx: FlowContext, evaluated: readonly EvaluatedToken[]): void {
  let noted = 0
  let more = 0
  for (const { found, refusal } of evaluated) {
    if (refusal === null) continue
    if (found !== null && noted === MAX_NOTED) {
      more += 1
      continue
    }
    if (found !== null) noted += 1
    noteRefusal(ctx, refusal, found?.status.token ?? null)
  }
  if (more > 0) ctx.log.info({ rayId: ctx.rayId, more }, 'further refused tokens of this call are not logged')
}

/**
 * RFC 7662, for one token or many, in their order: each token if it is active and visible to the caller, otherwise
 * `null`.
 */
export const introspectTokens = query({
  name: 'introspectTokens',
  preconditions: given<PresentedTokens>().and(callerMayCheckTokens),
  answer: async (ctx, { presented, viewer }): Promise<readonly (ActiveToken | null)[]> => {
    const evaluated = await Promise.all(presented.map((value) => evaluateToken(ctx, viewer, value)))
    noteRefusals(ctx, evaluated)
    return evaluated.map(({ found, refusal }) => (refusal === null ? found : null))
  },
})
