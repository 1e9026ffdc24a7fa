import { useState } from 'preact/hooks'
import { Heading } from '../../components/heading.tsx'
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
  if (id !== '') return <OneClient clientId={id} />
  return (
    <>
      <Heading>Clients</Heading>
      <Permitted permission="qscope:clients.read">
        <ClientList />
      </Permitted>
    </>
  )
}

function OneClient({ clientId }: { readonly clientId: string }) {
  const [isEditing, setEditing] = useState(false)
  return (
    <>
      {isEditing ? (
        <Heading key="edit" title={`Change client ${clientId}`}>{`Change ${clientId}`}</Heading>
      ) : (
        <Heading key="detail" title={`Client ${clientId}`}>
          {clientId}
        </Heading>
      )}
      <Permitted permission="qscope:clients.read">
        <ClientDetail clientId={clientId} isEditing={isEditing} onEdit={setEditing} />
      </Permitted>
    </>
  )
}
