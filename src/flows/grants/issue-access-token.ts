import { uuidV7 } from '../../crypto/random.ts'
import { drawToken, hashToken } from '../../crypto/token.ts'
import type { AccessToken } from '../../domain/access-token.ts'
import type { Client } from '../../domain/client.ts'
import { later, type Milliseconds, type RawToken, tokenId } from '../../domain/ids.ts'
import { HOLDS } from '../../results.ts'
import type { AppendStores } from '../../stores/contract.ts'
import { auditEvent } from '../audit/event.ts'
import { postcondition } from '../condition.ts'
import type { FlowContext } from '../context.ts'

/** An access token and, this once, its value. */
export interface IssuedAccessToken {
  readonly token: AccessToken
  readonly value: RawToken
}

/** What has been established about a token before it is drawn. */
export interface TokenGrounds {
  readonly client: Client
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly lifetime: Milliseconds
}

/** Draws an access token for the client itself (RFC 6749 §4.4.3). */
export function issueAccessToken(ctx: FlowContext, grounds: TokenGrounds): IssuedAccessToken {
  const { client, scopes, audiences, lifetime } = grounds
  const value = drawToken('access')
  const token: AccessToken = Object.freeze({
    tokenId: tokenId(uuidV7()),
    hash: hashToken(value),
    clientId: client.clientId,
    userId: null,
    grantId: null,
    scopes,
    audiences,
    clientGeneration: client.tokenGeneration,
    issuedAt: ctx.now,
    expiresAt: later(ctx.now, lifetime),
    revokedAt: null,
    rayId: ctx.rayId,
  })
  return { token, value }
}

/** The token and the event that records it stand in one commit. */
export const issuedTokenIsStored = postcondition<{ readonly issued: IssuedAccessToken }, AppendStores>(
  'issuedTokenIsStored',
  (ctx, { issued }) => {
    storeIssuedToken(ctx, issued.token)
    return HOLDS
  },
)

/** Hands a new token and its audit event to the append lane. */
export function storeIssuedToken(ctx: FlowContext<AppendStores>, token: AccessToken): void {
  const { clientId, userId, tokenId, grantId } = token
  const metadata = {
    scopes: token.scopes.join(' '),
    ...(token.audiences.length > 0 && { audiences: token.audiences.join(' ') }),
  }
  ctx.stores.accessTokens.insert(token)
  ctx.stores.auditLog.append(auditEvent(ctx, 'token.issued', { clientId, userId, tokenId, grantId, metadata }))
}
