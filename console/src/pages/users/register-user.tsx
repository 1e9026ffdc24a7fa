import { useState } from 'preact/hooks'
import { problemsOf } from '../../components/changes.ts'
import { Created, CreationForm } from '../../components/creation-form.tsx'
import { TextField } from '../../components/field.tsx'
import { useSession } from '../../hooks/session.ts'
import { linkTo } from '../../route.ts'

const NEW_USER = Object.freeze({ externalId: '' })
const FIELDS = { prefix: '', changeable: {}, others: { external_id: 'externalId' } } as const

/** Registers a user before the first decision of that user is reported. */
export function RegisterUser() {
  const { users } = useSession().api
  const [draft, setDraft] = useState<{ readonly externalId: string }>(NEW_USER)
  const [userId, setUserId] = useState<string | null>(null)
  if (userId !== null) {
    return (
      <Created name={draft.externalId} done="registered" href={linkTo('users', userId)}>
        Show the user
      </Created>
    )
  }
  return (
    <CreationForm
      draft={draft}
      validate={(wanted, signal) => users.registerUser({ ...wanted, validateOnly: true }, { signal })}
      create={() => users.registerUser(draft)}
      onCreated={({ user }) => setUserId(user?.userId ?? '')}
      action="Register"
      busy="Registering…"
      accepted={({ user }) =>
        user === undefined || user.userId === '' ? (
          'The server accepts this registration.'
        ) : (
          <>
            A user with this external id is registered already: <a href={linkTo('users', user.userId)}>show the user</a>
            .
          </>
        )
      }
    >
      {(refusal) => (
        <TextField
          label="External id"
          hint="The user’s id in the system that knows the user. QScope compares it exactly."
          value={draft.externalId}
          problem={problemsOf(FIELDS, refusal).get('externalId')}
          onInput={(externalId) => setDraft({ externalId })}
          autocomplete="off"
        />
      )}
    </CreationForm>
  )
}
