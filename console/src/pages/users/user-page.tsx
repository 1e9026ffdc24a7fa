import { Heading } from '../../components/heading.tsx'
import { Permitted } from '../../components/permitted.tsx'
import type { Route } from '../../route.ts'
import { RegisterUser } from './register-user.tsx'
import { UserDetail } from './user-detail.tsx'
import { UserList } from './user-list.tsx'

export function UserPage({ route: { page, id } }: { readonly route: Route }) {
  if (page === 'register-user') {
    return (
      <>
        <Heading>Register a user</Heading>
        <Permitted permission="qscope:users.write">
          <RegisterUser />
        </Permitted>
      </>
    )
  }
  if (id !== '') return <UserDetail userId={id} />
  return (
    <>
      <Heading>Users</Heading>
      <Permitted permission="qscope:users.read">
        <UserList />
      </Permitted>
    </>
  )
}
