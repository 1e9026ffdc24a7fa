import { useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../../api/refusal.ts'
import { Form } from '../../components/form.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { useDebounced } from '../../hooks/use-debounced.ts'
import { useQuery } from '../../hooks/use-query.ts'
import { linkTo } from '../../route.ts'
import { ClientForm } from './client-form.tsx'
import { NEW_CLIENT, registrationOf } from './draft.ts'

/** Registers a client. The server judges the draft while it is written: `validate_only` writes nothing. */
export function RegisterClient() {
  const { api, showSecret } = useSession()
  const [draft, setDraft] = useState(NEW_CLIENT)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const [isBusy, setBusy] = useState(false)
  const [registered, setRegistered] = useState<string | null>(null)
  const settled = useDebounced(draft)
  const check = useQuery(
    (signal) => api.clients.registerClient({ ...registrationOf(settled), validateOnly: true }, { signal }),
    [api, settled],
  )
  const register = async () => {
    setBusy(true)
    setRefusal(null)
    try {
      const { client, clientSecret } = await api.clients.registerClient(registrationOf(draft))
      const clientId = client?.clientId ?? ''
      if (clientSecret !== '') showSecret({ clientId, value: clientSecret })
      setRegistered(clientId)
    } catch (error) {
      setRefusal(refusalOf(error))
    }
    setBusy(false)
  }
  if (registered !== null) return <Registered clientId={registered} />
  return (
    <Form onSubmit={register}>
      <ClientForm draft={draft} onChange={setDraft} isRegistered={false} refusal={check.refusal} />
      <p role="status">
        {check.isLoading && 'Checking…'}
        {!check.isLoading && check.refusal === null && 'The server accepts this registration.'}
        {!check.isLoading && check.refusal !== null && <span class="problem">{check.refusal.message}</span>}
      </p>
      <RefusalNotice refusal={refusal} />
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy ? 'Registering…' : 'Register'}
      </button>
    </Form>
  )
}

function Registered({ clientId }: { readonly clientId: string }) {
  return (
    <section aria-label="Registered">
      <p role="status">
        <code>{clientId}</code> is registered.
      </p>
      <p>
        <a href={linkTo('clients', clientId)}>Show the client</a>
      </p>
    </section>
  )
}
