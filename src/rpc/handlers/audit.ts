import { auditEventId } from '../../domain/ids.ts'
import { exportAuditHead, getAuditEvent, listAuditEvents } from '../../flows/audit/read-audit-log.ts'
import { verifyAuditLog } from '../../flows/audit/verify-audit-log.ts'
import type { FlowRunner } from '../../flows/runner.ts'
import type { AuditService } from '../../gen/qscope/v1/audit_service_pb.ts'
import { mapResult } from '../../results.ts'
import { fromAuditFilter, toAuditEvent, toVerification } from '../convert/audit.ts'
import type { ServiceHandlers } from '../routes.ts'

export function auditHandlers(runner: FlowRunner): ServiceHandlers<typeof AuditService> {
  return {
    async listAuditEvents(ctx, request) {
      const filter = fromAuditFilter(request)
      if (!filter.ok) return filter
      const { pageSize, pageToken } = request
      const listed = await runner.query(listAuditEvents, ctx, { filter: filter.value, pageSize, pageToken })
      return mapResult(listed, ({ items, nextPageToken }) => ({ events: items.map(toAuditEvent), nextPageToken }))
    },
    async getAuditEvent(ctx, request) {
      const found = await runner.query(getAuditEvent, ctx, { eventId: auditEventId(request.eventId) })
      return mapResult(found, (event) => ({ event: toAuditEvent(event) }))
    },
    async verifyAuditLog(ctx, { exportedHead, maxEvents, pageToken }) {
      return mapResult(await runner.query(verifyAuditLog, ctx, { exportedHead, maxEvents, pageToken }), toVerification)
    },
    async exportAuditHead(ctx) {
      const exported = await runner.query(exportAuditHead, ctx, {})
      return mapResult(exported, ({ head, chains, events }) => ({
        head,
        chains: BigInt(chains),
        events: BigInt(events),
      }))
    },
  }
}
