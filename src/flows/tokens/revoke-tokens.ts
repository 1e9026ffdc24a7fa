import { actorOf } from '../../context.ts'
import type { ClientId, GrantId, TokenId, UserId } from '../../domain/ids.ts'
import { fail, HOLDS, type Result, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract.ts'
import { auditEvent } from '../audit/event.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import type { FlowContext } from '../context.ts'
import { defineFlow } from '../flow.ts'

/** What `RevokeTokens` ends. */
export type RevocationTarget =
  | { readonly kind: 'token'; readonly tokenId: TokenId }
  | { readonly kind: 'client'; readonly clientId: ClientId }
  | { readonly kind: 'user'; readonly userId: UserId }
  | { readonly kind: 'grant'; readonly grantId: GrantId }

interface RevokeTokensRequest {
  readonly target: RevocationTarget
  /** For the audit log; may be empty. */
  readonly reason: string
}

interface Concerned {
  readonly clientId: ClientId | null
  readonly userId: UserId | null
  readonly tokenId: TokenId | null
  readonly grantId: GrantId | null
}

const NOBODY: Concerned = { clientId: null, userId: null, tokenId: null, grantId: null }

/** AIP-131: what is to be ended exists; adds whom it concerns. */
const targetExists = condition<RevokeTokensRequest, { readonly concerned: Concerned; readonly isEnded: boolean }>(
  'targetExists',
  async (ctx, { target }): Promise<Result<{ readonly concerned: Concerned; readonly isEnded: boolean }>> => {
    switch (target.kind) {
      case 'token': {
        const standing = await ctx.stores.accessTokens.findById(ctx, target.tokenId)
        if (standing === null) return fail('resource.not_found', { resource: { type: 'token', name: target.tokenId } })
        const { clientId, userId, tokenId, grantId, revokedAt } = standing.token
        return success({ concerned: { clientId, userId, tokenId, grantId }, isEnded: revokedAt !== null })
      }
      case 'client': {
        const client = await ctx.stores.clients.find(ctx, target.clientId)
        if (client === null) return fail('resource.not_found', { resource: { type: 'client', name: target.clientId } })
        return success({ concerned: { ...NOBODY, clientId: client.clientId }, isEnded: false })
      }
      case 'user':
        return fail('resource.not_found', { resource: { type: 'user', name: target.userId } })
      case 'grant':
        return fail('resource.not_found', { resource: { type: 'grant', name: target.grantId } })
      default:
        return target satisfies never
    }
  },
)

type RevokeFacts = RevokeTokensRequest & { readonly concerned: Concerned }

/** One guarded update ends the target; one event says who did, and why. */
const targetIsRevoked = postcondition<RevokeFacts, TransactionStores>('targetIsRevoked', async (ctx, facts) => {
  if (!(await endTarget(ctx, facts))) return LOST_RACE
  const { concerned, reason } = facts
  const metadata = reason === '' ? {} : { reason }
  const type = concerned.tokenId === null ? 'tokens.revoked' : 'token.revoked'
  await ctx.stores.auditLog.append(auditEvent(ctx, type, { ...concerned, metadata }))
  return HOLDS
})

async function endTarget(ctx: FlowContext<TransactionStores>, { target, reason }: RevokeFacts): Promise<boolean> {
  const change = { at: ctx.now, by: actorOf(ctx) }
  switch (target.kind) {
    case 'token':
      return await ctx.stores.accessTokens.revoke(target.tokenId, reason === '' ? 'revoked' : reason, change)
    case 'client':
      return await ctx.stores.clients.startTokenGeneration(target.clientId, change)
    case 'user':
    case 'grant':
      return false
    default:
      return target satisfies never
  }
}

/** Ends a token, or everything of a client, a user or a grant, from the next call on; answers how many, where it counts. */
export const revokeTokens = defineFlow({
  name: 'revokeTokens',
  lane: 'transaction',
  preconditions: given<RevokeTokensRequest>().and(targetExists),
  run: (_ctx, { target, isEnded }): number | null => {
    if (target.kind === 'client' || target.kind === 'user') return null
    return isEnded ? 0 : 1
  },
  isIdle: (_ctx, { isEnded }) => isEnded,
  postconditions: [targetIsRevoked],
})
