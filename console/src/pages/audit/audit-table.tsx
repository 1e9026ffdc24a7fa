import { useState } from 'preact/hooks'
import type { AuditEvent } from '../../../../src/gen/qscope/v1/audit_service_pb.ts'
import { Dialog } from '../../components/dialog.tsx'
import { Facts, Time } from '../../components/facts.tsx'
import { type Column, VirtualTable } from '../../components/virtual-table.tsx'
import type { Pages } from '../../hooks/use-pages.ts'

/** Events, each of which opens. */
export function AuditTable({ pages, empty }: { readonly pages: Pages<AuditEvent>; readonly empty: string }) {
  const [open, setOpen] = useState<AuditEvent | null>(null)
  const columns: readonly Column<AuditEvent>[] = [
    { title: 'Time', grow: 1.4, cell: ({ createTime }) => <Time of={createTime} /> },
    {
      title: 'Event',
      grow: 1.6,
      cell: (event) => (
        <button type="button" class="link" onClick={() => setOpen(event)}>
          {event.eventType}
        </button>
      ),
    },
    { title: 'Client', grow: 1.4, optional: true, cell: ({ clientId = '' }) => <code>{clientId}</code> },
    { title: 'Actor', grow: 1.4, optional: true, cell: ({ actor }) => <code>{actor}</code> },
  ]
  return (
    <>
      <VirtualTable label="Events" columns={columns} pages={pages} keyOf={({ eventId }) => eventId} empty={empty} />
      {open !== null && <EventDialog event={open} onClose={() => setOpen(null)} />}
    </>
  )
}

function EventDialog({ event, onClose }: { readonly event: AuditEvent; readonly onClose: () => void }) {
  const { eventType, createTime, actor, clientId, userId, tokenId, grantId, rayId, eventId, metadata } = event
  const ids = { Client: clientId, User: userId, Token: tokenId, Grant: grantId, 'Ray id': rayId, Event: eventId }
  return (
    <Dialog title={eventType} onClose={onClose}>
      <Facts
        of={[
          ['Time', <Time of={createTime} />],
          ['Actor', <code>{actor}</code>],
          ...present({ ...ids, ...metadata }).map(([name, value]) => [name, <code>{value}</code>] as const),
        ]}
      />
      <div class="actions">
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  )
}

function present(values: Readonly<Record<string, string | undefined>>): readonly (readonly [string, string])[] {
  return Object.entries(values).flatMap(([name, value]) => (value ? [[name, value] as const] : []))
}
