import { useSession } from '../../hooks/session.ts'
import { usePages } from '../../hooks/use-pages.ts'
import { type AuditFilter, filterOf, timesOf } from './audit-filter.ts'
import { AuditTable } from './audit-table.tsx'

const PAGE_SIZE = 200

/** What happened, the newest first, as far back as somebody scrolls. */
export function AuditList({ filter }: { readonly filter: AuditFilter }) {
  const { api } = useSession()
  const pages = usePages(
    async (pageToken, signal) => {
      const request = { ...filterOf(filter), ...timesOf(filter), pageSize: PAGE_SIZE, pageToken }
      const { events, nextPageToken } = await api.audit.listAuditEvents(request, { signal })
      return { items: events, nextPageToken }
    },
    [api, filter],
  )
  return <AuditTable pages={pages} empty="No event matches." />
}
