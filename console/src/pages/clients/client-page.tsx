import { Heading } from '../../components/heading.tsx'
import { ObjectPage } from '../../components/object-page.tsx'
import { Permitted } from '../../components/permitted.tsx'
import type { Route } from '../../route.ts'
import { ClientDetail } from './client-detail.tsx'
import { ClientList } from './client-list.tsx'
import { RegisterClient } from './register-client.tsx'

export function ClientPage({ route: { page, id } }: { readonly route: Route }) {
  if (page === 'register-client') {
    return (
      <>
        <Heading>Register a client</Heading>
        <Permitted permission="qscope:clients.write">
          <RegisterClient />
        </Permitted>
      </>
    )
  }
  if (id !== '') {
    return (
      <ObjectPage kind="client" name={id} permission="qscope:clients.read">
        {(isEditing, setEditing) => <ClientDetail clientId={id} isEditing={isEditing} onEdit={setEditing} />}
      </ObjectPage>
    )
  }
  return (
    <>
      <Heading>Clients</Heading>
      <Permitted permission="qscope:clients.read">
        <ClientList />
      </Permitted>
    </>
  )
}
