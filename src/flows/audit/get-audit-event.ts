import type { AuditEvent } from '../../domain/audit-event.ts'
import type { AuditEventId } from '../../domain/ids.ts'
import { fail, success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { defineFlow } from '../flow.ts'

const eventExists = condition<{ readonly eventId: AuditEventId }, { readonly event: AuditEvent }>(
  'eventExists',
  async (ctx, { eventId }) => {
    const event = await ctx.stores.auditLog.find(ctx, eventId)
    return event === null
      ? fail('resource.not_found', { resource: { type: 'audit_event', name: eventId } })
      : success({ event })
  },
)

/** One event of the audit log. */
export const getAuditEvent = defineFlow({
  name: 'getAuditEvent',
  lane: 'read',
  preconditions: given<{ readonly eventId: AuditEventId }>().and(eventExists),
  run: (_ctx, { event }): AuditEvent => event,
  postconditions: [],
})
