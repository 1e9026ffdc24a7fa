import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { ClientId, GrantId, TokenId, UserId } from '../../domain/ids.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { EndingToken } from '../../stores/contract/access-tokens.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import type { EndingGrant } from '../../stores/contract/grants.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import type { FlowContext, LaneContext } from '../context.ts'
import { defineFlow } from '../flow.ts'

/** The target of `RevokeTokens`. */
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

/**
 * The fact that is revoked. A refresh token is revoked with its family; otherwise the tokens issued with it would
 * remain.
 */
type EndingFact =
  | { readonly kind: 'token'; readonly token: EndingToken }
  | { readonly kind: 'grant'; readonly grant: EndingGrant }
  | { readonly kind: 'client'; readonly clientId: ClientId }
  | { readonly kind: 'user'; readonly userId: UserId }

type Ending = { readonly concerned: Concerned; readonly fact: EndingFact; readonly isEnded: boolean }

/** AIP-131: the target exists. Adds the client and the user that it concerns. */
const targetExists = condition<RevokeTokensRequest, Ending>('targetExists', async (ctx, { target }) => {
  const ending = await lookUpTarget(ctx, target)
  return ending === null ? fail('resource.not_found', { resource: resourceOf(target) }) : success(ending)
})

async function lookUpTarget(ctx: FlowContext, target: RevocationTarget): Promise<Ending | null> {
  const { accessTokens, refreshTokens, clients, users, grants } = ctx.stores
  switch (target.kind) {
    case 'token': {
      const access = await accessTokens.findById(ctx, target.tokenId)
      if (access !== null) {
        const { token } = access
        return { concerned: whomOf(token), fact: { kind: 'token', token }, isEnded: token.revokedAt !== null }
      }
      const refresh = await refreshTokens.findById(ctx, target.tokenId)
      if (refresh === null) return null
      const { token, grant } = refresh
      return { concerned: whomOf(token), fact: { kind: 'grant', grant }, isEnded: grant.revokedAt !== null }
    }
    case 'client': {
      const client = await clients.find(ctx, target.clientId)
      return client && { concerned: { ...NOBODY, clientId: client.clientId }, fact: target, isEnded: false }
    }
    case 'user': {
      const user = await users.find(ctx, target.userId)
      return user && { concerned: { ...NOBODY, userId: user.userId }, fact: target, isEnded: false }
    }
    case 'grant': {
      const found = await grants.find(ctx, target.grantId)
      if (found === null) return null
      const { grant } = found
      const { clientId, userId, grantId, revokedAt } = grant
      const concerned = { ...NOBODY, clientId, userId, grantId }
      return { concerned, fact: { kind: 'grant', grant }, isEnded: revokedAt !== null }
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

type RevokeFacts = RevokeTokensRequest & Ending

/** One guarded update revokes the target, and one event records the caller and the reason. */
const targetIsRevoked = postcondition<RevokeFacts, TransactionStores>('targetIsRevoked', async (ctx, facts) => {
  if (!(await end(ctx, facts))) return LOST_RACE
  const { concerned, reason } = facts
  const metadata = reason === '' ? {} : { reason }
  const type = concerned.tokenId === null ? 'tokens.revoked' : 'token.revoked'
  await ctx.stores.auditLog.append(auditEvent(ctx, type, { ...concerned, metadata }))
  return HOLDS
})

/** `false`: another call revoked it first. */
async function end(ctx: LaneContext<TransactionStores>, facts: RevokeFacts): Promise<boolean> {
  const { fact } = facts
  const { accessTokens, grants, clients, users } = ctx.stores
  const reason = facts.reason === '' ? 'revoked' : facts.reason
  const change = { at: ctx.now, by: actorOf(ctx) }
  switch (fact.kind) {
    case 'token':
      return await accessTokens.revoke(fact.token, reason, change)
    case 'grant':
      return await grants.revoke(fact.grant, reason, change)
    case 'client':
      return await clients.startTokenGeneration(fact.clientId, change)
    case 'user':
      return await users.startTokenGeneration(fact.userId, change)
    default:
      return fact satisfies never
  }
}

/**
 * Revokes a token, or all tokens of a client, a user or a grant, from the next call on. Returns their number if they
 * are counted.
 */
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
