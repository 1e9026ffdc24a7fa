import { useState } from 'preact/hooks'
import type { Client } from '../../../../src/gen/qscope/v1/client_pb.ts'
import { type Refusal, refusalOf } from '../../api/refusal.ts'
import { Time } from '../../components/facts.tsx'
import { Form } from '../../components/form.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { useDebounced } from '../../hooks/use-debounced.ts'
import { useQuery } from '../../hooks/use-query.ts'
import { ClientForm } from './client-form.tsx'
import { type Change, changesOf, draftOf, rebased, updateOf } from './draft.ts'

interface EditClientProps {
  readonly client: Client
  readonly onDone: () => void
  readonly onCancel: () => void
}

/** Changes a client, as a difference to the version that was read. A version that somebody else made is shown, not overwritten. */
export function EditClient({ client, onDone, onCancel }: EditClientProps) {
  const { api } = useSession()
  const [base, setBase] = useState(client)
  const [draft, setDraft] = useState(() => draftOf(client))
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const [current, setCurrent] = useState<Client | null>(null)
  const [isBusy, setBusy] = useState(false)
  const before = draftOf(base)
  const changes = changesOf(before, draft)
  const settled = useDebounced(draft)
  const check = useQuery(
    async (signal) => {
      if (changesOf(before, settled).length === 0) return null
      return await api.clients.updateClient({ ...updateOf(before, settled, ''), validateOnly: true }, { signal })
    },
    [api, settled, base],
  )
  const save = async () => {
    setBusy(true)
    setRefusal(null)
    try {
      await api.clients.updateClient(updateOf(before, draft, base.etag))
      onDone()
    } catch (error) {
      const refused = refusalOf(error)
      if (refused.reason === 'RESOURCE_CONFLICT') await compare(refused)
      else setRefusal(refused)
    }
    setBusy(false)
  }
  /** Reads the version that is in the way. Until that succeeds, the conflict itself is shown. */
  const compare = async (conflict: Refusal) => {
    setRefusal(conflict)
    try {
      const { client: newer } = await api.clients.getClient({ clientId: base.clientId })
      setCurrent(newer ?? null)
    } catch (error) {
      setRefusal(refusalOf(error))
    }
  }
  const goOn = (newer: Client) => {
    setDraft(rebased(before, draft, draftOf(newer)))
    setBase(newer)
    setCurrent(null)
    setRefusal(null)
  }
  return (
    <Form onSubmit={save}>
      <ClientForm draft={draft} onChange={setDraft} isRegistered refusal={check.refusal} />
      <section aria-labelledby="changes">
        <h2 id="changes">Changes</h2>
        <ChangeTable changes={changes} none="No changes yet." />
      </section>
      {current === null ? (
        <RefusalNotice refusal={refusal ?? check.refusal} />
      ) : (
        <Conflict current={current} changes={changesOf(before, draftOf(current))} onGoOn={() => goOn(current)} />
      )}
      <div class="actions">
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={isBusy || changes.length === 0 || current !== null}>
          {isBusy ? 'Saving…' : 'Save these changes'}
        </button>
      </div>
    </Form>
  )
}

interface ConflictProps {
  readonly current: Client
  /** What somebody else changed. */
  readonly changes: readonly Change[]
  readonly onGoOn: () => void
}

function Conflict({ current, changes, onGoOn }: ConflictProps) {
  return (
    <div class="notice warning" role="alert">
      <p>
        <code>{current.updatedBy}</code> changed this client at <Time of={current.updateTime} />. Your changes are not
        saved.
      </p>
      <ChangeTable changes={changes} none="No field of this form differs." />
      <button type="button" onClick={onGoOn}>
        Apply my changes to that version
      </button>
    </div>
  )
}

function ChangeTable({ changes, none }: { readonly changes: readonly Change[]; readonly none: string }) {
  if (changes.length === 0) return <p class="quiet">{none}</p>
  return (
    <table class="changes">
      <thead>
        <tr>
          <th scope="col">Field</th>
          <th scope="col">Before</th>
          <th scope="col">After</th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ label, path, removed, added }) => (
          <tr key={path}>
            <th scope="row">{label}</th>
            <td>
              {removed.map((value) => (
                <del key={value}>{value}</del>
              ))}
            </td>
            <td>
              {added.map((value) => (
                <ins key={value}>{value}</ins>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
