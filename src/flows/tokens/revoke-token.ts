import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { Client } from '../../domain/client.ts'
import type { EpochMs } from '../../domain/ids.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, postcondition } from '../condition.ts'
import { callerIsClient } from '../conditions/caller.ts'
import { type Found, lookUpToken, type PresentedToken } from '../conditions/presented-token.ts'
import { defineFlow } from '../flow.ts'

const REASON = 'revoked by its client'

/** What a presented value stands for; `null`: nothing that could be ended. */
export type Target = { readonly found: Found | null }

/** RFC 7009 §2.1: the token was issued to the client that wants it revoked; an unknown one is nobody's. */
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
 * Revoked here or by a twin of this call: either way it is, and one event says so. A
 * refresh token takes its family along. `metadata`: of the event.
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

/** What has ended already, or never was; a spent refresh token still stands for its family. */
export function isNothingToRevoke({ found }: Target, now: EpochMs): boolean {
  if (found === null) return true
  if (found.use === 'refresh') return found.status.grant.revokedAt !== null
  return found.status.token.revokedAt !== null || found.status.token.expiresAt <= now
}

/** RFC 7009: a client ends a token of its own; unknown, expired and revoked ones are as good as ended. */
export const revokeToken = defineFlow({
  name: 'revokeToken',
  lane: 'transaction',
  preconditions: given<PresentedToken>().and(callerIsClient).and(tokenIsOwnOrUnknown),
  run: () => null,
  skipWrite: (ctx, facts) => isNothingToRevoke(facts, ctx.now),
  postconditions: [tokenIsRevoked(REASON)],
})
