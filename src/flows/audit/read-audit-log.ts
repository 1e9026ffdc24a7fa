import { type ChainEnd, sealExportedHead } from '../../crypto/audit-export-format.ts'
import type { AuditEvent } from '../../domain/audit-event.ts'
import { type AuditEventId, auditEventId } from '../../domain/ids.ts'
import { fail, success } from '../../results.ts'
import type { AuditFilter } from '../../stores/contract/audit-log.ts'
import { condition, given } from '../condition.ts'
import { query } from '../flow.ts'
import { pagedList } from '../paged-list.ts'
import { allHeads } from './verify-writer-registry.ts'

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
export const getAuditEvent = query({
  name: 'getAuditEvent',
  preconditions: given<{ readonly eventId: AuditEventId }>().and(eventExists),
  answer: (_ctx, { event }): AuditEvent => event,
})

/** The filter of `ListAuditEvents`. */
export type AuditListFilter = AuditFilter

/** The audit log, newest first. */
export const listAuditEvents = pagedList({
  name: 'listAuditEvents',
  list: 'audit_events',
  read: (ctx, filter: AuditListFilter, { after, limit }) =>
    ctx.stores.auditLog.page(ctx, filter, { after: after === null ? null : auditEventId(after), limit }),
  keyOf: (event) => event.eventId,
})

/**
 * The current heads of all chains, protected by a MAC. Keep them where nobody with write access to the database can
 * change them.
 */
export const exportAuditHead = query({
  name: 'exportAuditHead',
  preconditions: given<object>(),
  answer: async (ctx) => {
    const chains: ChainEnd[] = []
    for await (const { writerId, sequence, hash } of allHeads(ctx)) chains.push({ writerId, sequence, hash })
    return {
      head: sealExportedHead(ctx.services.keyring, ctx.now, chains),
      chains: chains.length,
      events: chains.reduce((sum, { sequence }) => sum + sequence, 0),
    }
  },
})
