import { useState } from 'preact/hooks'
import type { User } from '../../../../src/gen/qscope/v1/user_pb.ts'
import { Facts, Moment } from '../../components/facts.tsx'
import { Heading } from '../../components/heading.tsx'
import { PermittedButton } from '../../components/permitted.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { useQuery } from '../../hooks/use-query.ts'
import { linkTo } from '../../route.ts'
import { ChangeUser, type UserAction } from './change-user.tsx'
import { UserState } from './user-state.tsx'

export function UserDetail({ userId }: { readonly userId: string }) {
  const { api } = useSession()
  const { value, refusal, reload } = useQuery(
    (signal) => api.users.getUser({ id: { case: 'userId', value: userId } }, { signal }),
    [api, userId],
  )
  const user = value?.user
  return (
    <>
      <Heading title={`User ${user?.externalId ?? userId}`}>{user?.externalId ?? 'User'}</Heading>
      <RefusalNotice refusal={refusal} retry={reload} />
      {user === undefined && refusal === null && <p role="status">Loading…</p>}
      {user !== undefined && <ReadUser user={user} onChanged={reload} />}
    </>
  )
}

function ReadUser({ user, onChanged }: { readonly user: User; readonly onChanged: () => void }) {
  const [action, setAction] = useState<UserAction | null>(null)
  const { userId } = user
  return (
    <>
      <UserFacts user={user} />
      <div class="actions">
        <PermittedButton
          permission="qscope:users.write"
          danger={user.active}
          onClick={() => setAction(user.active ? 'deactivate' : 'reactivate')}
        >
          {user.active ? 'Deactivate' : 'Reactivate'}
        </PermittedButton>
        <PermittedButton permission="qscope:users.write" danger onClick={() => setAction('delete')}>
          Delete
        </PermittedButton>
        <a class="button" href={linkTo('tokens', undefined, { user: userId })}>
          Tokens and grants
        </a>
        <a class="button" href={linkTo('audit', undefined, { user: userId })}>
          Events
        </a>
        <a class="button" href={linkTo('users')}>
          All users
        </a>
      </div>
      {action !== null && (
        <ChangeUser
          user={user}
          action={action}
          onClose={() => {
            setAction(null)
            onChanged()
          }}
        />
      )}
    </>
  )
}

function UserFacts({ user }: { readonly user: User }) {
  return (
    <Facts
      of={[
        ['State', <UserState active={user.active} />],
        ['External id', <code>{user.externalId}</code>],
        ['User id', <code>{user.userId}</code>],
        ['Managed by', user.owner === '' ? 'no configuration' : <code>{user.owner}</code>],
        ['Registered', <Moment time={user.createTime} by={user.createdBy} />],
        ['Changed', <Moment time={user.updateTime} by={user.updatedBy} />],
      ]}
    />
  )
}
