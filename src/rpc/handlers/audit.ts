import { auditEventId } from '../../domain/ids.ts'
import { exportAuditHead } from '../../flows/audit/export-audit-head.ts'
import { getAuditEvent } from '../../flows/audit/get-audit-event.ts'
import { listAuditEvents } from '../../flows/audit/list-audit-events.ts'
import { verifyAuditLog } from '../../flows/audit/verify-audit-log.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import type { AuditService } from '../../gen/qscope/v1/audit_service_pb.ts'
import { mapResult } from '../../results.ts'
import { fromAuditFilter, toAuditEvent, toVerification } from '../convert/audit.ts'
import type { ServiceHandlers } from '../routes.ts'

export function auditHandlers({ execute }: FlowRunner): ServiceHandlers<typeof AuditService> {
  return {
    async listAuditEvents(ctx, request) {
      const filter = fromAuditFilter(request)
      if (!filter.ok) return filter
      const { pageSize, pageToken } = request
      const listed = await execute(listAuditEvents, ctx, { filter: filter.value, pageSize, pageToken })
      return mapResult(listed, ({ items, nextPageToken }) => ({ events: items.map(toAuditEvent), nextPageToken }))
    },
    async getAuditEvent(ctx, request) {
      const found = await execute(getAuditEvent, ctx, { eventId: auditEventId(request.eventId) })
      return mapResult(found, (event) => ({ event: toAuditEvent(event) }))
    },
    async verifyAuditLog(ctx, { exportedHead, maxEvents, pageToken }) {
      return mapResult(await execute(verifyAuditLog, ctx, { exportedHead, maxEvents, pageToken }), toVerification)
    },
    async exportAuditHead(ctx) {
      const exported = await execute(exportAuditHead, ctx, {})
      return mapResult(exported, ({ head, chains, events }) => ({
        head,
        chains: BigInt(chains),
        events: BigInt(events),
      }))
    },
  }
}
