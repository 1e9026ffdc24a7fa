import { useState } from 'preact/hooks'
import { Created, CreationForm } from '../../components/creation-form.tsx'
import { useSession } from '../../hooks/session.ts'
import { linkTo } from '../../route.ts'
import { ClientForm } from './client-form.tsx'
import { NEW_CLIENT, registrationOf } from './draft.ts'

export function RegisterClient() {
  const { api, showSecret } = useSession()
  const [draft, setDraft] = useState(NEW_CLIENT)
  const [registered, setRegistered] = useState<string | null>(null)
  const register = async () => {
    const { client, clientSecret } = await api.clients.registerClient(registrationOf(draft))
    const clientId = client?.clientId ?? ''
    if (clientSecret !== '') showSecret({ clientId, value: clientSecret })
    return clientId
  }
  if (registered !== null) {
    return (
      <Created name={registered} done="registered" href={linkTo('clients', registered)}>
        Show the client
      </Created>
    )
  }
  return (
    <CreationForm
      draft={draft}
      validate={(wanted, signal) =>
        api.clients.registerClient({ ...registrationOf(wanted), validateOnly: true }, { signal })
      }
      create={register}
      onCreated={setRegistered}
      action="Register"
      busy="Registering…"
      accepted={() => 'The server accepts this registration.'}
    >
      {(refusal) => <ClientForm draft={draft} onChange={setDraft} isRegistered={false} refusal={refusal} />}
    </CreationForm>
  )
}
