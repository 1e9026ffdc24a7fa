import { actorOf, type CallContext } from './context.ts'
import { uuidV7At } from './crypto/random.ts'
import type { AuditEvent, AuditEventType } from './domain/audit-event.ts'
import { auditEventId } from './domain/ids.ts'

type Concerning = Partial<Pick<AuditEvent, 'clientId' | 'userId' | 'tokenId' | 'grantId' | 'metadata'>>

/** An event of this call: who, when and under which ray id come from the context. */
export function auditEvent(
  ctx: Pick<CallContext, 'caller' | 'peer' | 'rayId' | 'now'>,
  type: AuditEventType,
  concerning: Concerning,
): AuditEvent {
  return Object.freeze({
    eventId: auditEventId(uuidV7At(ctx.now)),
    type,
    rayId: ctx.rayId,
    clientId: null,
    userId: null,
    tokenId: null,
    grantId: null,
    metadata: {},
    ...concerning,
    actor: actorOf(ctx),
    createdAt: ctx.now,
  })
}
