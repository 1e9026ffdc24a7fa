import type { Timestamp } from '@bufbuild/protobuf/wkt'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../api/refusal.ts'
import { useLeaveWarning } from '../hooks/use-leave-warning.ts'
import { useVerdict } from '../hooks/use-verdict.ts'
import { useWork } from '../hooks/use-work.ts'
import { type Change, changesOf, type FieldTable, rebased } from './changes.ts'
import { Time } from './facts.tsx'
import { Form } from './form.tsx'
import { RefusalNotice } from './refusal-notice.tsx'

/** What an update needs to know of the version that was read. */
interface Version {
  readonly etag: string
  readonly updatedBy: string
  readonly updateTime?: Timestamp | undefined
}

interface EditFormProps<Draft, Read extends Version> {
  /** As it was read. */
  readonly read: Read
  readonly draftOf: (read: Read) => Draft
  readonly fields: FieldTable<Draft>
  /** Changes one to the other, if its etag is still the one that is given; an empty one stands for any version. */
  readonly update: (before: Draft, after: Draft, etag: string) => Promise<unknown>
  /** Asks whether the server would accept that, which writes nothing. */
  readonly validate: (before: Draft, after: Draft, signal: AbortSignal) => Promise<unknown>
  /** Reads the current version. */
  readonly readAgain: () => Promise<Read | undefined>
  readonly onDone: () => void
  readonly onCancel: () => void
  /** The fields, with what the server says of them. */
  readonly children: (draft: Draft, onChange: (draft: Draft) => void, refusal: Refusal | null) => ComponentChildren
}

/** Changes something, as a difference to the version that was read. A version that somebody else made is shown, not overwritten. */
export function EditForm<Draft, Read extends Version>({ read, draftOf, fields, ...props }: EditFormProps<Draft, Read>) {
  const { update, validate, readAgain, onDone, onCancel, children } = props
  const [base, setBase] = useState(read)
  const [draft, setDraft] = useState(() => draftOf(read))
  const [current, setCurrent] = useState<Read | null>(null)
  const saving = useWork()
  const reading = useWork()
  const isBusy = saving.isBusy || reading.isBusy
  const before = draftOf(base)
  const changes = changesOf(fields, before, draft)
  useLeaveWarning(changes.length > 0)
  const check = useVerdict(
    draft,
    async (written, signal) => {
      if (changesOf(fields, before, written).length === 0) return null
      return await validate(before, written, signal)
    },
    [base],
  )
  /** Resolves to `false` when another version is in the way. */
  const trySave = async () => {
    try {
      await update(before, draft, base.etag)
      return true
    } catch (error) {
      if (refusalOf(error).reason === 'RESOURCE_CONFLICT') return false
      throw error
    }
  }
  const compare = () => reading.run(readAgain, (newer) => setCurrent(newer ?? null))
  const save = () => saving.run(trySave, (saved) => (saved ? onDone() : void compare()))
  const goOn = (newer: Read) => {
    setDraft(rebased(fields, before, draft, draftOf(newer)))
    setBase(newer)
    setCurrent(null)
  }
  return (
    <Form onSubmit={save} isBusy={isBusy}>
      {children(draft, setDraft, check.refusal)}
      <section aria-labelledby="changes">
        <h2 id="changes">Changes</h2>
        <ChangeTable changes={changes} none="No changes yet." />
      </section>
      {current === null ? (
        <RefusalNotice
          refusal={saving.refusal ?? reading.refusal ?? check.refusal}
          isOfChange={saving.refusal !== null}
        />
      ) : (
        <Conflict
          current={current}
          changes={changesOf(fields, before, draftOf(current))}
          onGoOn={() => goOn(current)}
        />
      )}
      <div class="actions">
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={changes.length === 0 || current !== null}>
          {isBusy ? 'Saving…' : 'Save these changes'}
        </button>
      </div>
    </Form>
  )
}

interface ConflictProps<Draft> {
  readonly current: Version
  /** What somebody else changed. */
  readonly changes: readonly Change<Draft>[]
  readonly onGoOn: () => void
}

function Conflict<Draft>({ current, changes, onGoOn }: ConflictProps<Draft>) {
  return (
    <div class="notice warning" role="alert">
      <p>
        <code>{current.updatedBy}</code> made another version at <Time of={current.updateTime} />. Your changes are not
        saved.
      </p>
      <ChangeTable changes={changes} none="No field of this form differs." />
      <button type="button" onClick={onGoOn}>
        Apply my changes to that version
      </button>
    </div>
  )
}

interface ChangeTableProps<Draft> {
  readonly changes: readonly Change<Draft>[]
  readonly none: string
}

function ChangeTable<Draft>({ changes, none }: ChangeTableProps<Draft>) {
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
