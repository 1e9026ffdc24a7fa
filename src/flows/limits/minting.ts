import type { Client } from '../../domain/client.ts'
import { fail, HOLDS, type Result } from '../../results.ts'
import { condition } from '../condition.ts'
import type { FlowContext } from '../context.ts'

/**
 * Whether a client may be issued so many tokens now: its rate holds, and it has
 * not too many live ones. Asked before anything is drawn or written.
 */
export async function evaluateMinting(ctx: FlowContext, { clientId }: Client, count: number): Promise<Result<object>> {
  const { mints, liveTokens } = ctx.services.limits
  const subject = `client:${clientId}`
  if (!mints.take(clientId, ctx.now, count)) {
    const quota = { subject, description: 'tokens are minted too fast' }
    return fail('limit.exceeded', { quota, retryAfterMs: Math.max(1, mints.waitFor(clientId, ctx.now, count)) })
  }
  const wait = await liveTokens.reserve(ctx, clientId, count)
  if (wait === 0) return HOLDS
  const quota = { subject, description: `at most ${liveTokens.most} access tokens are live at once, about` }
  return fail('limit.exceeded', { quota, retryAfterMs: wait })
}

/** Undoes a judgement that let one token pass which is not issued after all. */
export function giveMintBack({ services: { limits } }: FlowContext, { clientId }: Client): void {
  limits.mints.giveBack(clientId)
  limits.liveTokens.giveBack(clientId)
}

/** The client keeps to its limits with one more token. */
export const mintingIsWithinLimits = condition<{ readonly client: Client }>(
  'mintingIsWithinLimits',
  (ctx, { client }) => evaluateMinting(ctx, client, 1),
)
