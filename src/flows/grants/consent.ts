import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import { uuidV7 } from '../../crypto/random.ts'
import type { Client } from '../../domain/client.ts'
import { expiryAfter } from '../../domain/expiry.ts'
import type { Grant } from '../../domain/grant.ts'
import { type EpochMs, grantId } from '../../domain/ids.ts'
import type { User } from '../../domain/user.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { given } from '../condition.ts'
import { tokenIsNotTooLong } from '../conditions/access-token-length.ts'
import { identityHasAudiences } from '../conditions/identity-token.ts'
import { audiencesAreAllowed, delegatedScopesAreAllowed, type TokenRequest } from '../conditions/request.ts'
import type { FlowContext, LaneContext } from '../context.ts'

/** The conditions for a user's consent, for every grant that needs one. */
export const consentConditions = given<
  Pick<TokenRequest, 'requestedScopes' | 'requestedAudiences'> & { readonly client: Client }
>()
  .and(delegatedScopesAreAllowed)
  .and(audiencesAreAllowed)
  .and(identityHasAudiences)
  .and(tokenIsNotTooLong((content) => content))

/** The content of a user's consent. */
export interface ConsentBasis {
  readonly client: Client
  readonly user: User
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
}

/** The consent as a grant. The grant is the head of the family of tokens issued for it. */
export function draftGrant(ctx: FlowContext, basis: ConsentBasis, tokensUntil: EpochMs): Grant {
  const { client, user, scopes, audiences } = basis
  return Object.freeze({
    grantId: grantId(uuidV7()),
    clientId: client.clientId,
    userId: user.userId,
    scopes,
    audiences,
    clientGeneration: client.tokenGeneration,
    userGeneration: user.tokenGeneration,
    createdAt: ctx.now,
    createdBy: actorOf(ctx),
    expiresAt: expiryAfter(ctx.now, client.config.refreshTokenMaxLifetime),
    tokensUntil,
    revokedAt: null,
    rayId: ctx.rayId,
  })
}

/** Registers a new user, and stores the consent. `false`: another call registered the user first. */
export async function storeConsent(
  ctx: LaneContext<TransactionStores>,
  { user, userIsNew }: { readonly user: User; readonly userIsNew: boolean },
  grant: Grant,
): Promise<boolean> {
  const { userId } = user
  if (userIsNew) {
    if (!(await ctx.stores.users.insert(user))) return false
    await ctx.stores.auditLog.append(auditEvent(ctx, 'user.registered', { userId }))
  }
  await ctx.stores.grants.insert(grant)
  const { clientId, grantId, scopes } = grant
  const metadata = { scopes: scopes.join(' ') }
  await ctx.stores.auditLog.append(auditEvent(ctx, 'authorization.granted', { clientId, userId, grantId, metadata }))
  return true
}
