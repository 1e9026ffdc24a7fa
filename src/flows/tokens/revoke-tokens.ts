import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { ClientId, GrantId, TokenId, UserId } from '../../domain/ids.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import type { Change } from '../../stores/contract/context.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import type { FlowContext, LaneContext } from '../context.ts'
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

type Ending = { readonly concerned: Concerned; readonly isEnded: boolean }

/** AIP-131: what is to be ended exists; adds whom it concerns. */
const targetExists = condition<RevokeTokensRequest, Ending>('targetExists', async (ctx, { target }) => {
  const ending = await lookUpTarget(ctx, target)
  return ending === null ? fail('resource.not_found', { resource: resourceOf(target) }) : success(ending)
})

async function lookUpTarget(ctx: FlowContext, target: RevocationTarget): Promise<Ending | null> {
  const { accessTokens, refreshTokens, clients, users, grants } = ctx.stores
  switch (target.kind) {
    case 'token': {
      const access = await accessTokens.findById(ctx, target.tokenId)
      if (access !== null) return { concerned: whomOf(access.token), isEnded: access.token.revokedAt !== null }
      const refresh = await refreshTokens.findById(ctx, target.tokenId)
      return refresh && { concerned: whomOf(refresh.token), isEnded: refresh.grant.revokedAt !== null }
    }
    case 'client': {
      const client = await clients.find(ctx, target.clientId)
      return client && { concerned: { ...NOBODY, clientId: client.clientId }, isEnded: false }
    }
    case 'user': {
      const user = await users.find(ctx, target.userId)
      return user && { concerned: { ...NOBODY, userId: user.userId }, isEnded: false }
    }
    case 'grant': {
      const found = await grants.find(ctx, target.grantId)
      if (found === null) return null
      const { clientId, userId, grantId, revokedAt } = found.grant
      return { concerned: { ...NOBODY, clientId, userId, grantId }, isEnded: revokedAt !== null }
    }
    default:
      return target satisfies never
  }
}

function whomOf({ clientId, userId, tokenId, grantId }: Concerned): Concerned {
  return { clientId, userId, tokenId, grantId }
}

function resourceOf(target: RevocationTarget) {
  switch (target.kind) {
    case 'token':
      return { type: 'token', name: target.tokenId } as const
    case 'client':
      return { type: 'client', name: target.clientId } as const
    case 'user':
      return { type: 'user', name: target.userId } as const
    case 'grant':
      return { type: 'grant', name: target.grantId } as const
    default:
      return target satisfies never
  }
}

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

/** `false`: another call ended it first. */
async function endTarget(ctx: LaneContext<TransactionStores>, facts: RevokeFacts): Promise<boolean> {
  const { target, concerned } = facts
  const reason = facts.reason === '' ? 'revoked' : facts.reason
  const change = { at: ctx.now, by: actorOf(ctx) }
  switch (target.kind) {
    case 'token':
      // A refresh token is ended with its family: one of them alone would leave what it issued.
      return (
        (await ctx.stores.accessTokens.revoke(target.tokenId, reason, change)) ||
        (concerned.grantId !== null && (await endRefreshToken(ctx, target.tokenId, concerned.grantId, reason, change)))
      )
    case 'client':
      return await ctx.stores.clients.startTokenGeneration(target.clientId, change)
    case 'user':
      return await ctx.stores.users.startTokenGeneration(target.userId, change)
    case 'grant':
      return await ctx.stores.grants.revoke(target.grantId, reason, change)
    default:
      return target satisfies never
  }
}

async function endRefreshToken(
  ctx: LaneContext<TransactionStores>,
  tokenId: TokenId,
  grantId: GrantId,
  reason: string,
  change: Change,
): Promise<boolean> {
  return (await ctx.stores.refreshTokens.findById(ctx, tokenId)) !== null
    ? await ctx.stores.grants.revoke(grantId, reason, change)
    : false
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
  skipWrite: (_ctx, { isEnded }) => isEnded,
  postconditions: [targetIsRevoked],
})
