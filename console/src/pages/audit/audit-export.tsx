import { useEffect, useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../../api/refusal.ts'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { save } from '../../download.ts'
import { useSession } from '../../hooks/session.ts'
import { type AuditFilter, filterOf, timesOf } from './audit-filter.ts'
import { exportEvents, MOST_EVENTS } from './export-events.ts'

const PAGE_SIZE = 1_000

/** Saves the events of the filter as lines of JSON, and where the chains end now. */
export function AuditExport({ filter }: { readonly filter: AuditFilter }) {
  const { api } = useSession()
  const [running, setRunning] = useState<AbortController | null>(null)
  const [count, setCount] = useState(0)
  const [outcome, setOutcome] = useState('')
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  useEffect(() => () => running?.abort(), [running])

  const saveEvents = async (signal: AbortSignal) => {
    const pageAt = (pageToken: string) =>
      api.audit.listAuditEvents({ ...filterOf(filter), ...timesOf(filter), pageSize: PAGE_SIZE, pageToken }, { signal })
    const { lines, isCut } = await exportEvents(pageAt, setCount)
    save('qscope-audit.jsonl', lines)
    setOutcome(outcomeOf(lines.length, isCut))
  }
  const saveHead = async (signal: AbortSignal) => {
    const { head } = await api.audit.exportAuditHead({}, { signal })
    save('qscope-audit-head.json', [head, '\n'])
    setOutcome('Saved the head of the log.')
  }
  const run = async (work: (signal: AbortSignal) => Promise<void>) => {
    const stop = new AbortController()
    setRunning(stop)
    setRefusal(null)
    setOutcome('')
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
      <button type="button" onClick={() => void run(saveEvents)}>
        Export these events
      </button>
      <button type="button" onClick={() => void run(saveHead)}>
        Export the head
      </button>
      <p role="status">{outcome}</p>
      <RefusalNotice refusal={refusal} />
    </>
  )
}

function outcomeOf(count: number, isCut: boolean): string {
  const saved = `Saved ${count.toLocaleString('en')} ${count === 1 ? 'event' : 'events'}.`
  if (!isCut) return saved
  return `${saved} Older events match that are not in the file: it ends at ${MOST_EVENTS.toLocaleString('en')}. Set “Until” to export them, or run qscope audit export, which has no such end.`
}
