import { type Timestamp, timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { AuditEvent } from '../../../../src/gen/qscope/v1/audit_service_pb.ts'
import { wordsOf } from '../../text.ts'

/** Which events are wanted, as a form holds it. Empty: whichever. */
export interface AuditFilter {
  /** Separated by white space. */
  readonly eventTypes: string
  readonly clientId: string
  readonly userId: string
  readonly rayId: string
  /** As `datetime-local` has it, in the reader's time zone. */
  readonly startTime: string
  readonly endTime: string
}

export const NO_FILTER: AuditFilter = Object.freeze({
  eventTypes: '',
  clientId: '',
  userId: '',
  rayId: '',
  startTime: '',
  endTime: '',
})

/** What both listing and following can be asked for. */
export function filterOf({ eventTypes, clientId, userId, rayId }: AuditFilter) {
  return {
    eventTypes: wordsOf(eventTypes),
    ...optional('clientId', clientId),
    ...optional('userId', userId),
    ...optional('rayId', rayId),
  }
}

/** Whether the filter keeps an event, as the server judges it when it follows. */
export function matches(event: AuditEvent, filter: AuditFilter): boolean {
  const { eventTypes, ...ids } = filterOf(filter)
  if (eventTypes.length > 0 && !eventTypes.includes(event.eventType)) return false
  return (['clientId', 'userId', 'rayId'] as const).every((key) => ids[key] === undefined || ids[key] === event[key])
}

/** The times between which events are listed. */
export function timesOf({ startTime, endTime }: AuditFilter): { startTime?: Timestamp; endTime?: Timestamp } {
  return {
    ...(startTime !== '' && { startTime: timestampFromDate(new Date(startTime)) }),
    ...(endTime !== '' && { endTime: timestampFromDate(new Date(endTime)) }),
  }
}

function optional<Key extends string>(key: Key, text: string): Partial<Record<Key, string>> {
  const value = text.trim()
  // One key, or none.
  return (value === '' ? {} : { [key]: value }) as Partial<Record<Key, string>>
}
