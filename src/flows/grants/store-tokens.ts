import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { AccessToken } from '../../domain/access-token.ts'
import type { AuditEventType } from '../../domain/audit-event.ts'
import type { Client } from '../../domain/client.ts'
import { epochMs, type GrantId } from '../../domain/ids.ts'
import { HOLDS } from '../../results.ts'
import type { AppendStores, TransactionStores } from '../../stores/contract/backend.ts'
import type { EndingGrant } from '../../stores/contract/grants.ts'
import { postcondition } from '../condition.ts'
import type { LaneContext } from '../context.ts'
import type { IssuedTokens } from './issue-tokens.ts'

/** Adds a new token and its audit event to the append lane, in one commit. */
export function appendToken(
  ctx: LaneContext<AppendStores>,
  token: AccessToken,
  type: AuditEventType,
  more: Readonly<Record<string, string>> = {},
): void {
  ctx.stores.accessTokens.insert(token)
  ctx.stores.auditLog.append(issuanceEvent(ctx, token, type, more))
}

/** The audit event of an issued access token. `more`: additional metadata. */
export function issuanceEvent(
  ctx: LaneContext<unknown>,
  token: AccessToken,
  type: AuditEventType,
  more: Readonly<Record<string, string>> = {},
) {
  const { clientId, userId, tokenId, grantId, scopes, audiences } = token
  const metadata = {
    scopes: scopes.join(' '),
    ...(audiences.length > 0 && { audiences: audiences.join(' ') }),
    ...more,
  }
  return auditEvent(ctx, type, { clientId, userId, tokenId, grantId, metadata })
}

/** The issued token is stored, with an audit event of the given type. */
export function tokenIsAppended(type: AuditEventType) {
  return postcondition<{ readonly issued: IssuedTokens }, AppendStores>('tokenIsAppended', (ctx, { issued }) => {
    appendToken(ctx, issued.token, type)
    return HOLDS
  })
}

type Ctx = LaneContext<TransactionStores>

/**
 * Locks the rows that the tokens of a grant depend on, in the order client → grant. `false`: the grant was revoked
 * meanwhile. A new family counts towards the client's caps, so the client's row is locked for it as well.
 */
export async function lockFamily(ctx: Ctx, client: Client, issued: IssuedTokens, isNew: boolean): Promise<boolean> {
  const { token, refresh } = issued
  if (token.grantId === null) throw new Error('tokens of a family belong to a grant')
  if (isNew && refresh !== null && isCapped(client) && !(await ctx.stores.clients.lock(client.clientId))) return false
  const tokensUntil = Math.max(token.expiresAt, refresh?.token.expiresAt ?? 0)
  return await ctx.stores.grants.lock(token.grantId, epochMs(tokensUntil))
}

/** Stores the tokens, revokes the oldest beyond a cap, and records the issue. The rows are locked. */
export async function storeFamilyTokens(
  ctx: Ctx,
  client: Client,
  { token, refresh }: IssuedTokens,
  type: AuditEventType,
): Promise<void> {
  await ctx.stores.accessTokens.insert(token)
  if (refresh !== null) await ctx.stores.refreshTokens.insert(refresh.token)
  await ctx.stores.auditLog.append(issuanceEvent(ctx, token, type))
  if (token.grantId !== null) await capAccessTokens(ctx, client, token.grantId)
}

/**
 * The cap applies to a refresh token and its successors, that is, to a grant. The oldest access tokens are removed
 * first.
 */
async function capAccessTokens(ctx: Ctx, client: Client, grantId: GrantId): Promise<void> {
  const most = client.config.maxActiveAccessTokens
  if (most === null) return
  for (const token of surplus(await ctx.stores.accessTokens.unexpiredOfGrant(ctx, grantId), most)) {
    const reason = 'max_active_access_tokens'
    if (await ctx.stores.accessTokens.revoke(token, reason, { at: ctx.now, by: actorOf(ctx) })) {
      const { clientId } = client
      const { tokenId } = token
      await ctx.stores.auditLog.append(
        auditEvent(ctx, 'token.revoked', { clientId, tokenId, grantId, metadata: { reason } }),
      )
    }
  }
}

/**
 * The caps apply per client, and per client and user. The family with the oldest refresh token is revoked first, as a
 * whole.
 */
export async function enforceFamilyLimits(ctx: Ctx, client: Client, { refresh }: IssuedTokens): Promise<void> {
  if (refresh === null) return
  const { maxActiveRefreshTokens, maxActiveRefreshTokensPerUser } = client.config
  const { clientId } = client
  const evict = async (active: readonly EndingGrant[], most: number, reason: string) => {
    // The new family is never removed, even if a parallel call generated its tokens later but stored them first.
    const others = active.filter(({ grantId }) => grantId !== refresh.token.grantId)
    for (const grant of surplus(others, most - 1)) {
      if (await ctx.stores.grants.revoke(grant, reason, { at: ctx.now, by: actorOf(ctx) })) {
        const { grantId } = grant
        await ctx.stores.auditLog.append(auditEvent(ctx, 'tokens.revoked', { clientId, grantId, metadata: { reason } }))
      }
    }
  }
  if (maxActiveRefreshTokensPerUser !== null) {
    const ofUser = await ctx.stores.refreshTokens.spendableGrants(ctx, clientId, refresh.token.userId)
    await evict(ofUser, maxActiveRefreshTokensPerUser, 'max_active_refresh_tokens_per_user')
  }
  if (maxActiveRefreshTokens !== null) {
    const ofClient = await ctx.stores.refreshTokens.spendableGrants(ctx, clientId, null)
    await evict(ofClient, maxActiveRefreshTokens, 'max_active_refresh_tokens')
  }
}

function isCapped({ config }: Client): boolean {
  return config.maxActiveRefreshTokens !== null || config.maxActiveRefreshTokensPerUser !== null
}

/** The oldest ones beyond `most`. */
function surplus<T>(oldestFirst: readonly T[], most: number): readonly T[] {
  return oldestFirst.slice(0, Math.max(0, oldestFirst.length - most))
}
