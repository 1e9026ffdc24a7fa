import { useState } from 'preact/hooks'
import type { User } from '../../../../src/gen/qscope/v1/user_pb.ts'
import { Time } from '../../components/facts.tsx'
import { SelectField } from '../../components/field.tsx'
import { Lock } from '../../components/permitted.tsx'
import { type Column, VirtualTable } from '../../components/virtual-table.tsx'
import { useSession } from '../../hooks/session.ts'
import { usePages } from '../../hooks/use-pages.ts'
import { linkTo } from '../../route.ts'
import { FindUser } from './find-user.tsx'
import { UserState } from './user-state.tsx'

const PAGE_SIZE = 200

const COLUMNS: readonly Column<User>[] = [
  {
    title: 'External id',
    grow: 2,
    cell: ({ userId, externalId }) => (
      <a href={linkTo('users', userId)}>
        <code>{externalId}</code>
      </a>
    ),
  },
  { title: 'User id', grow: 2, optional: true, cell: ({ userId }) => <code>{userId}</code> },
  { title: 'State', cell: ({ active }) => <UserState active={active} /> },
  { title: 'Registered', optional: true, grow: 1.4, cell: ({ createTime }) => <Time of={createTime} /> },
]

const STATES = [
  ['', 'all'],
  ['true', 'active'],
  ['false', 'deactivated'],
] as const

/** All users, the last registered first. */
export function UserList() {
  const { api } = useSession()
  const [state, setState] = useState('')
  const pages = usePages(
    async (pageToken, signal) => {
      const active = state === '' ? {} : { active: state === 'true' }
      const answer = await api.users.listUsers({ ...active, pageSize: PAGE_SIZE, pageToken }, { signal })
      return { items: answer.users, nextPageToken: answer.nextPageToken }
    },
    [api, state],
  )
  return (
    <>
      <FindUser />
      <div class="filters">
        <SelectField label="State" value={state} onChange={setState} options={STATES} />
        <a class="button" href={linkTo('register-user')}>
          Register a user
          <Lock permission="qscope:users.write" />
        </a>
      </div>
      <VirtualTable
        label="Users"
        columns={COLUMNS}
        pages={pages}
        keyOf={({ userId }) => userId}
        empty="No user matches."
      />
    </>
  )
}
