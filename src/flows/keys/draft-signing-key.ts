import { auditEvent } from '../../audit-event.ts'
import { actorOf, type CallContext } from '../../context.ts'
import type { DrawnSigningKey } from '../../crypto/signing-keys.ts'
import type { AuditEventType } from '../../domain/audit-event.ts'
import { milliseconds } from '../../domain/ids.ts'
import type { SigningKey } from '../../domain/signing-key.ts'

/** A drawn key as it will read back, prepared now. */
export function draftSigningKey(
  ctx: Pick<CallContext, 'caller' | 'peer' | 'now' | 'rayId'>,
  drawn: DrawnSigningKey,
): SigningKey {
  return Object.freeze({
    ...drawn,
    state: 'prepared',
    longestLifetime: milliseconds(0),
    preparedAt: ctx.now,
    preparedBy: actorOf(ctx),
    activatedAt: null,
    retiredAt: null,
    revokedAt: null,
    tokensUntil: null,
    rayId: ctx.rayId,
  })
}

/** What happened to a key; the events have no column for keys. */
export function keyEvent(
  ctx: Pick<CallContext, 'caller' | 'peer' | 'rayId' | 'now'>,
  type: Extract<AuditEventType, `key.${string}`>,
  { keyId, algorithm }: SigningKey,
  reason = '',
) {
  const metadata = { key_id: keyId, algorithm, ...(reason !== '' && { reason }) }
  return auditEvent(ctx, type, { metadata })
}
