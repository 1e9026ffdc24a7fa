import type { MessageInitShape } from '@bufbuild/protobuf'
import { AUDIT_EVENT_TYPES, type AuditEvent, type AuditEventType } from '../../domain/audit-event.ts'
import { clientId, userId } from '../../domain/ids.ts'
import type { AuditListFilter } from '../../flows/audit/list-audit-events.ts'
import type { AuditEventSchema, ListAuditEventsRequest } from '../../gen/qscope/v1/audit_service_pb.ts'
import { fail, type Result, success } from '../../results.ts'
import { fromTimestamp, toTimestamp } from './time.ts'

const KNOWN_TYPES: ReadonlySet<string> = new Set(AUDIT_EVENT_TYPES)

function isEventType(value: string): value is AuditEventType {
  return KNOWN_TYPES.has(value)
}

/** Event types are strings, so that old clients can read new ones; a filter for an unknown one is a mistake. */
export function fromAuditFilter(request: ListAuditEventsRequest): Result<AuditListFilter> {
  const { eventTypes, startTime, endTime } = request
  const violations = eventTypes.flatMap((type, index) =>
    isEventType(type) ? [] : [{ field: `event_types[${index}]`, description: 'there is no such event type' }],
  )
  if (violations.length > 0) return fail('oauth.invalid_request', { violations })
  return success({
    types: eventTypes.filter(isEventType),
    clientId: request.clientId === undefined ? null : clientId(request.clientId),
    userId: request.userId === undefined ? null : userId(request.userId),
    rayId: request.rayId ?? null,
    from: startTime === undefined ? null : fromTimestamp(startTime),
    until: endTime === undefined ? null : fromTimestamp(endTime),
  })
}

export function toAuditEvent(event: AuditEvent): MessageInitShape<typeof AuditEventSchema> {
  return {
    eventId: event.eventId,
    eventType: event.type,
    rayId: event.rayId,
    ...(event.clientId !== null && { clientId: event.clientId }),
    ...(event.userId !== null && { userId: event.userId }),
    ...(event.tokenId !== null && { tokenId: event.tokenId }),
    ...(event.grantId !== null && { grantId: event.grantId }),
    actor: event.actor,
    metadata: { ...event.metadata },
    createTime: toTimestamp(event.createdAt),
  }
}
