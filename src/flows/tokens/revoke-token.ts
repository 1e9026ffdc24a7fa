import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { Client } from '../../domain/client.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, postcondition } from '../condition.ts'
import { callerIsClient } from '../conditions/caller.ts'
import { type Found, lookUpToken, type PresentedToken } from '../conditions/presented-token.ts'
import { defineFlow } from '../flow.ts'

const REASON = 'revoked by its client'

/** The token that a presented value identifies. `null`: nothing that could be revoked. */
export type Target = { readonly found: Found | null }

/** RFC 7009 §2.1: the token was issued to the client that revokes it, or is unknown. */
const tokenIsOwnOrUnknown = condition<PresentedToken & { readonly client: Client }, Target>(
  'tokenIsOwnOrUnknown',
  async (ctx, { client, presented }) => {
    const found = await lookUpToken(ctx, presented)
    return found === null || found.status.token.clientId === client.clientId
      ? success({ found })
      : fail('oauth.invalid_grant')
  },
)

/**
 * The token is revoked, by this call or a concurrent one, with exactly one event. A refresh token is revoked with its
 * family. `metadata`: of the event.
 */
export function tokenIsRevoked(reason: string, metadata: Readonly<Record<string, string>> = {}) {
  return postcondition<Target, TransactionStores>('tokenIsRevoked', async (ctx, { found }) => {
    if (found === null) return HOLDS
    const { tokenId, clientId, userId, grantId } = found.status.token
    const change = { at: ctx.now, by: actorOf(ctx) }
    const revoked =
      found.use === 'access'
        ? await ctx.stores.accessTokens.revoke(found.status.token, reason, change)
        : await ctx.stores.grants.revoke(found.status.grant, reason, change)
    if (revoked) {
      await ctx.stores.auditLog.append(
        auditEvent(ctx, 'token.revoked', { tokenId, clientId, userId, grantId, metadata }),
      )
    }
    return HOLDS
  })
}

/**
 * The token was revoked already, or never existed. A spent refresh token still identifies its family. An expired token is revoked,
 * too: it may have expired only by this instance's clock, which is ahead, and others would go on accepting it.
 */
export function isNothingToRevoke({ found }: Target): boolean {
  if (found === null) return true
  return (found.use === 'refresh' ? found.status.grant : found.status.token).revokedAt !== null
}

/** RFC 7009: a client revokes a token of its own. Unknown and revoked tokens need no action. */
export const revokeToken = defineFlow({
  name: 'revokeToken',
  lane: 'transaction',
  preconditions: given<PresentedToken>().and(callerIsClient).and(tokenIsOwnOrUnknown),
  run: () => null,
  skipWrite: (_ctx, facts) => isNothingToRevoke(facts),
  postconditions: [tokenIsRevoked(REASON)],
})
