import { useEffect, useState } from 'preact/hooks'
import type { AuditBreak, VerifyAuditLogResponse } from '../../../../src/gen/qscope/v1/audit_service_pb.ts'
import { type Refusal, refusalOf } from '../../api/refusal.ts'
import { Badge, type Tone } from '../../components/facts.tsx'
import { FileField } from '../../components/field.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { headIn } from './exported-head.ts'

interface Progress {
  readonly events: bigint
  readonly chains: bigint
  readonly breaks: readonly AuditBreak[]
  readonly isValid: boolean
  /** Whether all of the log has been read. */
  readonly isWhole: boolean
}

const BEGINNING: Progress = Object.freeze({ events: 0n, chains: 0n, breaks: [], isValid: true, isWhole: false })

/** Has the server verify the chains of the log, part by part, and says where they break. */
export function AuditVerification() {
  const { api } = useSession()
  const [progress, setProgress] = useState<Progress | null>(null)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const [running, setRunning] = useState<AbortController | null>(null)
  const [file, setFile] = useState<File | null>(null)
  useEffect(() => () => running?.abort(), [running])

  const verify = async () => {
    const stop = new AbortController()
    setRunning(stop)
    setRefusal(null)
    setProgress(BEGINNING)
    try {
      const exportedHead = file === null ? '' : await headIn(file)
      let pageToken = ''
      do {
        const part = await api.audit.verifyAuditLog({ exportedHead, pageToken }, { signal: stop.signal })
        setProgress((before) => joined(before ?? BEGINNING, part))
        pageToken = part.nextPageToken
      } while (pageToken !== '')
    } catch (error) {
      if (!stop.signal.aborted) setRefusal(refusalOf(error))
    }
    setRunning(null)
  }
  return (
    <section aria-labelledby="chain">
      <h2 id="chain">Chain</h2>
      <p class="quiet">
        A keyed hash chains each event to the one before, so a changed or missing event breaks the chain. An exported
        head shows also whether the end of the log was removed.
      </p>
      <FileField label="Compare with an exported head" onChange={setFile} disabled={running !== null} />
      {running === null ? (
        <button type="button" onClick={() => void verify()}>
          Verify the whole log
        </button>
      ) : (
        <button type="button" onClick={() => running.abort()}>
          Stop
        </button>
      )}
      <RefusalNotice refusal={refusal} />
      {progress !== null && <Outcome progress={progress} isRunning={running !== null} />}
    </section>
  )
}

function Outcome({ progress, isRunning }: { readonly progress: Progress; readonly isRunning: boolean }) {
  const { events, chains, breaks } = progress
  const [tone, word] = isRunning ? (['plain', 'verifying'] as const) : outcomeOf(progress)
  return (
    <div role="status">
      <p>
        <Badge tone={tone}>{word}</Badge> {events.toLocaleString('en')} events verified, {chains.toLocaleString('en')}{' '}
        chains to their end
      </p>
      <ul>
        {breaks.map(({ detail, writerId, sequence }) => (
          <li key={`${writerId}/${sequence}/${detail}`}>
            {detail} <code>{writerId}</code> {String(sequence)}
          </li>
        ))}
      </ul>
    </div>
  )
}

function outcomeOf({ isValid, isWhole }: Progress): readonly [Tone, string] {
  if (!isValid) return ['bad', 'broken']
  return isWhole ? ['good', 'intact'] : ['warning', 'not verified to the end']
}

function joined(before: Progress, part: VerifyAuditLogResponse): Progress {
  return {
    events: before.events + part.verifiedEvents,
    chains: before.chains + part.verifiedChains,
    breaks: [...before.breaks, ...part.breaks],
    isValid: before.isValid && part.valid,
    isWhole: part.nextPageToken === '',
  }
}
