import { actorOf } from '../../context.ts'
import type { AccessTokenStanding } from '../../domain/access-token.ts'
import type { Client } from '../../domain/client.ts'
import type { EpochMs } from '../../domain/ids.ts'
import { fail, HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract.ts'
import { auditEvent } from '../audit/event.ts'
import { condition, given, postcondition } from '../condition.ts'
import { callerIsClient } from '../conditions/caller.ts'
import { type PresentedToken, presentedTokenIsLookedUp } from '../conditions/presented-token.ts'
import { defineFlow } from '../flow.ts'

/** RFC 7009 §2.1: the token was issued to the client that wants it revoked; an unknown one is nobody's. */
const tokenIsOwn = condition<{ readonly client: Client; readonly standing: AccessTokenStanding | null }>(
  'tokenIsOwn',
  (_ctx, { client, standing }) =>
    standing === null || standing.token.clientId === client.clientId ? HOLDS : fail('oauth.invalid_grant'),
)

/** Revoked here or by a twin of this call: either way it is, and one event says so. */
const tokenIsRevoked = postcondition<{ readonly standing: AccessTokenStanding | null }, TransactionStores>(
  'tokenIsRevoked',
  async (ctx, { standing }) => {
    if (standing === null) return HOLDS
    const { tokenId, clientId, userId, grantId } = standing.token
    if (await ctx.stores.accessTokens.revoke(tokenId, 'revoked by its client', { at: ctx.now, by: actorOf(ctx) })) {
      await ctx.stores.auditLog.append(auditEvent(ctx, 'token.revoked', { tokenId, clientId, userId, grantId }))
    }
    return HOLDS
  },
)

function isNothingToRevoke(standing: AccessTokenStanding | null, now: EpochMs): boolean {
  return standing === null || standing.token.revokedAt !== null || standing.token.expiresAt <= now
}

/** RFC 7009: a client ends a token of its own; unknown, expired and revoked ones are as good as ended. */
export const revokeToken = defineFlow({
  name: 'revokeToken',
  lane: 'transaction',
  preconditions: given<PresentedToken>().and(callerIsClient).and(presentedTokenIsLookedUp).and(tokenIsOwn),
  run: () => null,
  isIdle: (ctx, { standing }) => isNothingToRevoke(standing, ctx.now),
  postconditions: [tokenIsRevoked],
})
