import type { AuditEvent } from '../../gen/qscope/v1/audit_service_pb.ts'
import { entriesText, timeText, type View } from '../output/output.ts'

export const auditEventView: View<AuditEvent> = {
  name: ({ eventId }) => eventId,
  columns: [
    // To the millisecond, also on a terminal.
    { heading: 'TIME', value: ({ createTime }) => timeText(createTime), whole: true },
    { heading: 'EVENT', value: ({ eventType }) => eventType },
    { heading: 'CLIENT', value: ({ clientId }) => clientId },
    { heading: 'TOKEN', value: ({ tokenId }) => tokenId, wide: true },
    { heading: 'ACTOR', value: ({ actor }) => actor },
    { heading: 'RAY ID', value: ({ rayId }) => rayId, wide: true },
    { heading: 'METADATA', value: ({ metadata }) => entriesText(metadata), wide: true },
  ],
  pairs: (event) => [
    ['event id', event.eventId],
    ['time', event.createTime],
    ['event', event.eventType],
    ['client', event.clientId],
    ['user', event.userId],
    ['token', event.tokenId],
    ['grant', event.grantId],
    ['actor', event.actor],
    ['ray id', event.rayId],
    ['metadata', entriesText(event.metadata)],
  ],
}
