import { Permitted } from '../../components/permitted.tsx'
import type { Route } from '../../route.ts'
import { RegisterUser } from './register-user.tsx'
import { UserDetail } from './user-detail.tsx'
import { UserList } from './user-list.tsx'

export function UserPage({ route: { page, id } }: { readonly route: Route }) {
  if (page === 'register-user') {
    return (
      <>
        <h1>Register a user</h1>
        <Permitted permission="qscope:users.write">
          <RegisterUser />
        </Permitted>
      </>
    )
  }
  return (
    <>
      <h1>{id === '' ? 'Users' : 'User'}</h1>
      <Permitted permission="qscope:users.read">{id === '' ? <UserList /> : <UserDetail userId={id} />}</Permitted>
    </>
  )
}
