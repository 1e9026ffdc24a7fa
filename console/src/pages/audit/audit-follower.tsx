import { useEffect, useState } from 'preact/hooks'
import type { AuditEvent } from '../../../../src/gen/qscope/v1/audit_service_pb.ts'
import { NO_DEADLINE } from '../../api/api.ts'
import { type Refusal, refusalOf } from '../../api/refusal.ts'
import { useSession } from '../../hooks/session.ts'
import { type AuditFilter, filterOf } from './audit-filter.ts'
import { AuditTable } from './audit-table.tsx'
import { follow } from './follow.ts'

/** Older ones are dropped from the page: they are in the list. */
const KEPT = 2_000
/** How often what came is shown, whatever comes. */
const SHOWN_EVERY_MS = 250

/** What happens from now on, the newest first. */
export function AuditFollower({ filter }: { readonly filter: AuditFilter }) {
  const { api } = useSession()
  const [events, setEvents] = useState<readonly AuditEvent[]>([])
  const [isConnected, setConnected] = useState(false)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  useEffect(() => {
    const gone = new AbortController()
    let arrived: AuditEvent[] = []
    const timer = setInterval(() => {
      if (arrived.length === 0) return
      const news = arrived.toReversed()
      arrived = []
      setEvents((before) => [...news, ...before].slice(0, KEPT))
    }, SHOWN_EVERY_MS)
    setEvents([])
    setRefusal(null)
    const watch = (cursor: string) =>
      api.audit.watchAuditEvents({ ...filterOf(filter), cursor }, { signal: gone.signal, ...NO_DEADLINE })
    const onEvent = (event: AuditEvent) => {
      arrived = [...arrived.slice(1 - KEPT), event]
    }
    follow(watch, { onEvent, onConnected: setConnected }, gone.signal).catch((error: unknown) =>
      setRefusal(refusalOf(error)),
    )
    return () => {
      gone.abort()
      clearInterval(timer)
    }
  }, [api, filter])
  const pages = { items: events, hasMore: false, isLoading: false, refusal, loadMore: nothing, reload: nothing }
  return (
    <>
      <p role="status">{isConnected ? 'Following: events appear as they are committed.' : 'Connecting…'}</p>
      <AuditTable pages={pages} empty="Nothing has happened since." />
    </>
  )
}

/** The stream goes on by itself. */
function nothing(): void {
  return
}
