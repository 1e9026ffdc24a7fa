import type { Client } from '../../../../src/gen/qscope/v1/client_pb.ts'
import { EditForm } from '../../components/edit-form.tsx'
import { useSession } from '../../hooks/session.ts'
import { ClientForm } from './client-form.tsx'
import { CLIENT_FIELDS, draftOf, updateOf } from './draft.ts'

interface EditClientProps {
  readonly client: Client
  readonly onDone: () => void
  readonly onCancel: () => void
}

export function EditClient({ client, onDone, onCancel }: EditClientProps) {
  const { clients } = useSession().api
  return (
    <EditForm
      read={client}
      draftOf={draftOf}
      fields={CLIENT_FIELDS}
      update={(before, after, etag) => clients.updateClient(updateOf(before, after, etag))}
      validate={(before, after, signal) =>
        clients.updateClient({ ...updateOf(before, after, ''), validateOnly: true }, { signal })
      }
      readAgain={async () => (await clients.getClient({ clientId: client.clientId })).client}
      onDone={onDone}
      onCancel={onCancel}
    >
      {(draft, setDraft, refusal) => <ClientForm draft={draft} onChange={setDraft} isRegistered refusal={refusal} />}
    </EditForm>
  )
}
