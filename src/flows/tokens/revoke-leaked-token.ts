import { peerKey } from '../../domain/peer-key.ts'
import { fail, HOLDS, success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { lookUpToken, type PresentedToken } from '../conditions/presented-token.ts'
import { defineFlow } from '../flow.ts'
import { isNothingToRevoke, type Target, tokenIsRevoked } from './revoke-token.ts'

const REASON = 'leaked'

/**
 * An address reports at a limited rate. It is no reservation, for it counts before
 * anything is looked up, and whatever comes of it: what was reported tells nothing.
 */
const reportIsWithinRate = condition<object>('reportIsWithinRate', ({ services, peer, now }) => {
  const { leakReports } = services.limits
  const address = peerKey(peer)
  if (leakReports.take(address, now)) return HOLDS
  return fail('limit.exceeded', {
    quota: { subject: `peer:${address}`, description: 'too many reports of leaked tokens from this address' },
    retryAfterMs: Math.max(1, leakReports.waitFor(address, now)),
  })
})

const tokenIsLookedUp = condition<PresentedToken, Target>('tokenIsLookedUp', async (ctx, { presented }) =>
  success({ found: await lookUpToken(ctx, presented) }),
)

/** Whoever finds a token ends it: an access token itself, a refresh token with its grant. */
export const revokeLeakedToken = defineFlow({
  name: 'revokeLeakedToken',
  lane: 'transaction',
  preconditions: given<PresentedToken>().and(reportIsWithinRate).and(tokenIsLookedUp),
  run: () => null,
  skipWrite: (ctx, facts) => isNothingToRevoke(facts, ctx.now),
  postconditions: [tokenIsRevoked(REASON, { reason: REASON })],
})
