import { useCallback, useEffect, useMemo, useState } from 'preact/hooks'
import type { AuditEvent } from '../../../../src/gen/qscope/v1/audit_service_pb.ts'
import { NO_DEADLINE } from '../../api/api.ts'
import { type Refusal, refusalOf } from '../../api/refusal.ts'
import { useSession } from '../../hooks/session.ts'
import { type AuditFilter, filterOf, matches } from './audit-filter.ts'
import { AuditTable } from './audit-table.tsx'
import { AuditFollowing, type Watch } from './follow.ts'

/** Older ones are dropped from the page: they are in the list. */
const KEPT = 2_000
/** How often what came is shown, whatever comes. */
const SHOWN_EVERY_MS = 250

type Connection = 'connecting' | 'connected' | 'lost'

const CONNECTIONS: Readonly<Record<Connection, string>> = {
  connecting: 'Connecting…',
  connected: 'Following: events appear as they are committed.',
  lost: 'Not connected. The page tries again; events that happen meanwhile appear then.',
}

/** What happens from now on, the newest first. */
export function AuditFollower({ filter }: { readonly filter: AuditFilter }) {
  const { events, connection, refusal, goOn } = useFollowing(filter)
  const pages = {
    items: events.filter((event) => matches(event, filter)),
    hasMore: false,
    isFull: false,
    isLoading: false,
    refusal,
    loadMore: nothing,
    reload: goOn,
  }
  return (
    <>
      <p role="status">{refusal === null ? CONNECTIONS[connection] : 'No longer following.'}</p>
      <AuditTable pages={pages} empty="No event since then." />
    </>
  )
}

/**
 * What came since the page follows. With another filter or token it goes on behind what came with the one before.
 * `goOn`: follows again after a refusal, from where it ended.
 */
function useFollowing(filter: AuditFilter) {
  const { api, session } = useSession()
  const [events, setEvents] = useState<readonly AuditEvent[]>([])
  const [connection, setConnection] = useState<Connection>('connecting')
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const [times, setTimes] = useState(0)
  const following = useMemo(() => new AuditFollowing(), [api])
  useEffect(() => {
    const gone = new AbortController()
    let arrived: AuditEvent[] = []
    const show = () => {
      if (arrived.length === 0) return
      const news = arrived.toReversed()
      arrived = []
      setEvents((before) => [...news, ...before].slice(0, KEPT))
    }
    const timer = setInterval(show, SHOWN_EVERY_MS)
    setRefusal(null)
    setConnection('connecting')
    const watch: Watch = (cursor, signal) =>
      api.audit.watchAuditEvents({ ...filterOf(filter), cursor }, { signal, ...NO_DEADLINE })
    const follower = {
      onEvent: (event: AuditEvent) => {
        arrived = [...arrived.slice(1 - KEPT), event]
      },
      onConnected: (isConnected: boolean) => setConnection(isConnected ? 'connected' : 'lost'),
    }
    following.run(watch, follower, gone.signal).catch((error: unknown) => {
      show()
      setRefusal(refusalOf(error))
    })
    return () => {
      gone.abort()
      clearInterval(timer)
      show()
    }
    // A stream ends with the token that it was opened with, also if the session goes on with another one.
  }, [api, session.token, following, filter, times])
  const goOn = useCallback(() => setTimes((before) => before + 1), [])
  return { events, connection, refusal, goOn }
}

/** There is no older page. */
function nothing(): void {
  return
}
