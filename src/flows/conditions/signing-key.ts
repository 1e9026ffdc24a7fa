import { auditEvent } from '../../audit-event.ts'
import { actorOf, type CallContext } from '../../context.ts'
import type { DrawnSigningKey } from '../../crypto/signing-keys.ts'
import type { AuditEventType } from '../../domain/audit-event.ts'
import { milliseconds, type SigningKeyId } from '../../domain/ids.ts'
import type { SigningKey, SigningKeyState } from '../../domain/signing-key.ts'
import { fail, success } from '../../results.ts'
import { condition } from '../condition.ts'

export interface NamedSigningKey {
  readonly keyId: SigningKeyId
}

/** A management call names a key that exists. */
export const signingKeyExists = condition<NamedSigningKey, { readonly key: SigningKey }>(
  'signingKeyExists',
  async (ctx, { keyId }) => {
    const key = await ctx.stores.signingKeys.find(ctx, keyId)
    return key === null
      ? fail('resource.not_found', { resource: { type: 'signing_key', name: keyId } })
      : success({ key })
  },
)

/** A key goes from state to state, and never back. */
export function refuseFrom(state: SigningKeyState) {
  return fail('resource.conflict', { metadata: { state }, because: 'key_state' })
}

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
