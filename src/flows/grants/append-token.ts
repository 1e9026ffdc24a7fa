import { auditEvent } from '../../audit-event.ts'
import type { AccessToken } from '../../domain/access-token.ts'
import type { AuditEventType } from '../../domain/audit-event.ts'
import { HOLDS } from '../../results.ts'
import type { AppendStores } from '../../stores/contract/backend.ts'
import { postcondition } from '../condition.ts'
import type { FlowContext } from '../context.ts'
import type { IssuedTokens } from './issue-tokens.ts'

/** Hands a new token and its audit event to the append lane: they stand in one commit. */
export function appendToken(ctx: FlowContext<AppendStores>, token: AccessToken, type: AuditEventType): void {
  ctx.stores.accessTokens.insert(token)
  ctx.stores.auditLog.append(issuanceEvent(ctx, token, type))
}

/** The audit event of an issued access token. */
export function issuanceEvent(ctx: FlowContext<unknown>, token: AccessToken, type: AuditEventType) {
  const { clientId, userId, tokenId, grantId, scopes, audiences } = token
  const metadata = { scopes: scopes.join(' '), ...(audiences.length > 0 && { audiences: audiences.join(' ') }) }
  return auditEvent(ctx, type, { clientId, userId, tokenId, grantId, metadata })
}

/** The issued token is stored, recorded as an event of the given type. */
export function tokenIsAppended(type: AuditEventType) {
  return postcondition<{ readonly issued: IssuedTokens }, AppendStores>('tokenIsAppended', (ctx, { issued }) => {
    appendToken(ctx, issued.token, type)
    return HOLDS
  })
}
