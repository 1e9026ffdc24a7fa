import { Permitted } from '../../components/permitted.tsx'
import type { Route } from '../../route.ts'
import { ClientDetail } from './client-detail.tsx'
import { ClientList } from './client-list.tsx'
import { RegisterClient } from './register-client.tsx'

export function ClientPage({ route: { page, id } }: { readonly route: Route }) {
  if (page === 'register-client') {
    return (
      <>
        <h1>Register a client</h1>
        <Permitted permission="qscope:clients.write">
          <RegisterClient />
        </Permitted>
      </>
    )
  }
  return (
    <>
      <h1>{id === '' ? 'Clients' : id}</h1>
      <Permitted permission="qscope:clients.read">
        {id === '' ? <ClientList /> : <ClientDetail clientId={id} />}
      </Permitted>
    </>
  )
}
