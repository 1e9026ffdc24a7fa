import { useState } from 'preact/hooks'
import { SelectField, TextField } from '../../components/field.tsx'
import { Form } from '../../components/form.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { useWork } from '../../hooks/use-work.ts'
import { linkTo } from '../../route.ts'
import { referenceOf, USER_IDS } from './user-reference.ts'

/** Opens the user who has exactly this id: users cannot be searched for. */
export function FindUser() {
  const { api } = useSession()
  const [kind, setKind] = useState('externalId')
  const [id, setId] = useState('')
  const { isBusy, refusal, run } = useWork()
  const find = () =>
    run(
      (signal) => api.users.getUser({ id: referenceOf(kind, id) }, { signal }),
      ({ user }) => {
        location.hash = linkTo('users', user?.userId)
      },
    )
  return (
    <>
      <Form onSubmit={find} isBusy={isBusy}>
        <div class="filters">
          <SelectField label="Find by" value={kind} onChange={setKind} options={USER_IDS} />
          <TextField label="The exact id" value={id} onInput={setId} required autocomplete="off" />
          <button type="submit">Find</button>
        </div>
      </Form>
      {refusal?.reason === 'RESOURCE_NOT_FOUND' ? (
        <p class="notice" role="status">
          No user has this id. A user is registered with the first decision that a front end reports, or by “Register a
          user”.
        </p>
      ) : (
        <RefusalNotice refusal={refusal} />
      )}
    </>
  )
}
