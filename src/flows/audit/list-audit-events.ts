import { auditEventId } from '../../domain/ids.ts'
import type { AuditFilter } from '../../stores/contract/audit-log.ts'
import { definePagedList } from '../paged-list.ts'

/** What `ListAuditEvents` filters by. */
export type AuditListFilter = AuditFilter

/** The audit log, newest first. */
export const listAuditEvents = definePagedList({
  name: 'audit_events',
  read: (ctx, filter: AuditListFilter, { after, limit }) =>
    ctx.stores.auditLog.page(ctx, filter, { after: after === null ? null : auditEventId(after), limit }),
  keyOf: (event) => event.eventId,
})
