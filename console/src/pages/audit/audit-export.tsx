import { toJsonString } from '@bufbuild/protobuf'
import { useEffect, useState } from 'preact/hooks'
import { AuditEventSchema } from '../../../../src/gen/qscope/v1/audit_service_pb.ts'
import { type Refusal, refusalOf } from '../../api/refusal.ts'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { save } from '../../download.ts'
import { useSession } from '../../hooks/session.ts'
import { type AuditFilter, filterOf, timesOf } from './audit-filter.ts'

const PAGE_SIZE = 1_000
/** What one file of the browser's memory takes; `qscope audit export` has no such end. */
const MOST_EVENTS = 200_000

/** Saves the events of the filter as lines of JSON, and where the chains end now. */
export function AuditExport({ filter }: { readonly filter: AuditFilter }) {
  const { api } = useSession()
  const [running, setRunning] = useState<AbortController | null>(null)
  const [count, setCount] = useState(0)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  useEffect(() => () => running?.abort(), [running])

  const exportEvents = async (signal: AbortSignal) => {
    const parts: string[] = []
    let [total, pageToken] = [0, '']
    do {
      const request = { ...filterOf(filter), ...timesOf(filter), pageSize: PAGE_SIZE, pageToken }
      const page = await api.audit.listAuditEvents(request, { signal })
      parts.push(...page.events.map((event) => `${toJsonString(AuditEventSchema, event)}\n`))
      total += page.events.length
      setCount(total)
      pageToken = page.nextPageToken
    } while (pageToken !== '' && total < MOST_EVENTS)
    save('qscope-audit.jsonl', parts)
  }
  const exportHead = async (signal: AbortSignal) => {
    const { head } = await api.audit.exportAuditHead({}, { signal })
    save('qscope-audit-head.json', [head, '\n'])
  }
  const run = async (work: (signal: AbortSignal) => Promise<void>) => {
    const stop = new AbortController()
    setRunning(stop)
    setRefusal(null)
    setCount(0)
    try {
      await work(stop.signal)
    } catch (error) {
      if (!stop.signal.aborted) setRefusal(refusalOf(error))
    }
    setRunning(null)
  }
  if (running !== null) {
    return (
      <button type="button" onClick={() => running.abort()}>
        Stop the export ({count.toLocaleString('en')} events)
      </button>
    )
  }
  return (
    <>
      <button type="button" onClick={() => void run(exportEvents)}>
        Export these events
      </button>
      <button type="button" onClick={() => void run(exportHead)}>
        Export the head
      </button>
      <RefusalNotice refusal={refusal} />
    </>
  )
}
