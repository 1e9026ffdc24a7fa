import type { User } from '../../../../src/gen/qscope/v1/user_pb.ts'
import { Confirmation } from '../../components/dialog.tsx'
import { Uncounted } from '../../components/uncounted.tsx'
import { useSession } from '../../hooks/session.ts'
import { useActiveCounts } from '../../hooks/use-active-counts.ts'
import { linkTo } from '../../route.ts'

export type UserAction = 'deactivate' | 'reactivate' | 'delete'

const NAMES: Readonly<Record<UserAction, string>> = {
  deactivate: 'Deactivate',
  reactivate: 'Reactivate',
  delete: 'Delete',
}

interface ChangeUserProps {
  /** As it was read: another version is not changed. */
  readonly user: User
  readonly action: UserAction
  readonly onClose: () => void
}

/** Asks before a user is changed, and says what becomes of the tokens. */
export function ChangeUser({ user, action, onClose }: ChangeUserProps) {
  const { users } = useSession().api
  const { userId, etag, externalId } = user
  const change = (): Promise<unknown> => {
    switch (action) {
      case 'deactivate':
        return users.deactivateUser({ userId, etag })
      case 'reactivate':
        return users.reactivateUser({ userId, etag })
      case 'delete':
        return users.deleteUser({ userId, etag })
    }
  }
  return (
    <Confirmation
      title={`${NAMES[action]} ${externalId}`}
      action={NAMES[action]}
      danger={action !== 'reactivate'}
      onClose={onClose}
      onConfirm={change}
      onDone={() => {
        if (action === 'delete') location.hash = linkTo('users')
      }}
    >
      {action === 'reactivate' ? (
        <p>
          The user’s tokens and grants that have not expired <strong>work again</strong>. After a compromise, revoke
          everything of this user first, on the page “Tokens and grants”.
        </p>
      ) : (
        <Ending userId={userId} isForGood={action === 'delete'} />
      )}
    </Confirmation>
  )
}

function Ending({ userId, isForGood }: { readonly userId: string; readonly isForGood: boolean }) {
  const { counts, refusal } = useActiveCounts({ userId })
  return (
    <>
      <p>
        From the next call on, at every instance,{' '}
        {counts === null ? 'all tokens and grants of this user' : `${counts.tokens} and ${counts.grants} of this user`}{' '}
        are not accepted, and nobody can consent for the user.
      </p>
      <Uncounted refusal={refusal} />
      {isForGood ? (
        <p>
          This cannot be undone. The external id is free again: if it is registered later, that is another user, without
          these tokens.
        </p>
      ) : (
        <p>When the user is reactivated, those that have not expired work again. To end them for good, revoke them.</p>
      )}
    </>
  )
}
