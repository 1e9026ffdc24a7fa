import { Permitted } from '../../components/permitted.tsx'
import type { Route } from '../../route.ts'
import { UserDetail } from './user-detail.tsx'
import { UserList } from './user-list.tsx'

export function UserPage({ route: { id } }: { readonly route: Route }) {
  return (
    <>
      <h1>{id === '' ? 'Users' : 'User'}</h1>
      <Permitted permission="qscope:users.read">{id === '' ? <UserList /> : <UserDetail userId={id} />}</Permitted>
    </>
  )
}
