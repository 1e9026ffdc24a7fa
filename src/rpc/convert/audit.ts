import { create, type MessageInitShape, toJsonString } from '@bufbuild/protobuf'
import { AUDIT_EVENT_TYPES, type AuditEvent, type AuditEventType } from '../../domain/audit-event.ts'
import { clientId, userId } from '../../domain/ids.ts'
import type { ChainBreakKind } from '../../flows/audit/chain-walk.ts'
import type { AuditListFilter } from '../../flows/audit/read-audit-log.ts'
import type { Verification } from '../../flows/audit/verify-audit-log.ts'
import type { AuditWatchFilter } from '../../flows/audit/watch-audit-log.ts'
import {
  AuditBreakKind,
  AuditEventSchema,
  type ListAuditEventsRequest,
  type VerifyAuditLogResponseSchema,
  type WatchAuditEventsRequest,
} from '../../gen/qscope/v1/audit_service_pb.ts'
import { fail, mapResult, type Result, success } from '../../results.ts'
import { fromTimestamp, toTimestamp } from './time.ts'

const KNOWN_TYPES: ReadonlySet<string> = new Set(AUDIT_EVENT_TYPES)

function isEventType(value: string): value is AuditEventType {
  return KNOWN_TYPES.has(value)
}

/** Event types are strings, so old clients can read new types. A filter with an unknown type is refused. */
export function fromAuditWatchFilter({
  eventTypes,
  ...request
}: Pick<WatchAuditEventsRequest, 'eventTypes' | 'clientId' | 'userId' | 'rayId'>): Result<AuditWatchFilter> {
  const violations = eventTypes.flatMap((type, index) =>
    isEventType(type) ? [] : [{ field: `event_types[${index}]`, description: 'is not an event type' }],
  )
  if (violations.length > 0) return fail('oauth.invalid_request', { violations })
  return success({
    types: eventTypes.filter(isEventType),
    clientId: request.clientId === undefined ? null : clientId(request.clientId),
    userId: request.userId === undefined ? null : userId(request.userId),
    rayId: request.rayId ?? null,
  })
}

export function fromAuditFilter(request: ListAuditEventsRequest): Result<AuditListFilter> {
  const { startTime, endTime } = request
  return mapResult(fromAuditWatchFilter(request), (filter) => ({
    ...filter,
    from: startTime === undefined ? null : fromTimestamp(startTime),
    until: endTime === undefined ? null : fromTimestamp(endTime),
  }))
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

/** In one line, with the names of the contract. */
export function auditEventJson(event: AuditEvent): string {
  return toJsonString(AuditEventSchema, create(AuditEventSchema, toAuditEvent(event)))
}

const BREAK_KINDS: Readonly<Record<ChainBreakKind, AuditBreakKind>> = Object.freeze({
  row_changed: AuditBreakKind.ROW_CHANGED,
  row_missing: AuditBreakKind.ROW_MISSING,
  rows_reordered: AuditBreakKind.ROWS_REORDERED,
  row_unaccounted: AuditBreakKind.ROW_UNACCOUNTED,
  key_unknown: AuditBreakKind.KEY_UNKNOWN,
  head_missing: AuditBreakKind.HEAD_MISSING,
  head_forged: AuditBreakKind.HEAD_FORGED,
  writer_missing: AuditBreakKind.WRITER_MISSING,
  roster_forged: AuditBreakKind.ROSTER_FORGED,
  behind_export: AuditBreakKind.BEHIND_EXPORT,
  differs_from_export: AuditBreakKind.DIFFERS_FROM_EXPORT,
})

export function toVerification(found: Verification): MessageInitShape<typeof VerifyAuditLogResponseSchema> {
  return {
    valid: found.breakCount === 0,
    verifiedChains: BigInt(found.chains),
    verifiedEvents: BigInt(found.events),
    breaks: found.breaks.map(({ kind, writerId, sequence, eventId, detail }) => ({
      kind: BREAK_KINDS[kind],
      writerId,
      sequence: BigInt(Number.isSafeInteger(sequence) ? sequence : 0),
      ...(eventId !== null && { eventId }),
      detail,
    })),
    breakCount: BigInt(found.breakCount),
    nextPageToken: found.nextPageToken,
  }
}
