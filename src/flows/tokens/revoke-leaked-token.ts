import { peerKey } from '../../domain/peer-key.ts'
import { fail, HOLDS, success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { lookUpToken, type PresentedToken } from '../conditions/presented-token.ts'
import { defineFlow } from '../flow.ts'
import { isNothingToRevoke, type Target, tokenIsRevoked } from './revoke-token.ts'

const REASON = 'leaked'

/**
 * Reports are limited by address. This is not a reservation, because a report counts before any look-up and whatever
 * its result, so that the limit reveals nothing about the token.
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

/** Any caller that finds a token may revoke it: an access token by itself, a refresh token with its grant. */
export const revokeLeakedToken = defineFlow({
  name: 'revokeLeakedToken',
  lane: 'transaction',
  preconditions: given<PresentedToken>().and(reportIsWithinRate).and(tokenIsLookedUp),
  run: () => null,
  skipWrite: (_ctx, facts) => isNothingToRevoke(facts),
  postconditions: [tokenIsRevoked(REASON, { reason: REASON })],
})
