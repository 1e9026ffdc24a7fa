import { useEffect, useState } from 'preact/hooks'
import type { Api } from '../../api/api.ts'
import { refusalOf } from '../../api/refusal.ts'
import { SelectField, TextField } from '../../components/field.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { usePermission, useSession } from '../../hooks/session.ts'
import { useVerdict } from '../../hooks/use-verdict.ts'
import { referenceOf, USER_IDS } from '../users/user-reference.ts'

type UserReference = ReturnType<typeof referenceOf>

/** `new`: nobody has the external id. `unknown`: the token may not read users. */
type Standing = 'active' | 'deactivated' | 'new' | 'absent' | 'unknown'

/** Somebody who may consent. */
export interface NamedUser {
  readonly reference: UserReference
  readonly standing: 'active' | 'new' | 'unknown'
}

/** Asks who consents, and says whether there is such a user. `onChange` hears `null` while nobody is named who can. */
export function ConsentingUser({ onChange }: { readonly onChange: (user: NamedUser | null) => void }) {
  const { api } = useSession()
  const maySee = usePermission('qscope:users.read')
  const [kind, setKind] = useState('externalId')
  const [id, setId] = useState('')
  const { value, refusal, isLoading, reload } = useVerdict(
    id,
    async (written, signal) => {
      const reference = referenceOf(kind, written)
      if (reference.value === '') return null
      return { reference, standing: maySee ? await standingOf(api, reference, signal) : 'unknown' } as const
    },
    [api, maySee, kind],
  )
  const standing = isLoading || refusal !== null ? null : (value?.standing ?? null)
  useEffect(() => {
    const mayConsent = standing === 'active' || standing === 'new' || standing === 'unknown'
    onChange(mayConsent && value !== null ? { reference: value.reference, standing } : null)
  }, [standing, value, onChange])
  return (
    <>
      <div class="columns">
        <SelectField label="The user is named by" value={kind} onChange={setKind} options={USER_IDS} />
        <TextField label="Who consents" value={id} onInput={setId} autocomplete="off" />
      </div>
      <RefusalNotice refusal={refusal} retry={reload} />
      <p role="status">{standing !== null && TEXTS[standing]}</p>
    </>
  )
}

async function standingOf(api: Api, id: UserReference, signal: AbortSignal): Promise<Standing> {
  try {
    const { user } = await api.users.getUser({ id }, { signal })
    return user?.active === true ? 'active' : 'deactivated'
  } catch (error) {
    const { reason, missingPermissions } = refusalOf(error)
    // A token that may not ask what it permits is told here.
    if (missingPermissions.length > 0) return 'unknown'
    if (reason !== 'RESOURCE_NOT_FOUND') throw error
    return id.case === 'externalId' ? 'new' : 'absent'
  }
}

const TEXTS: Readonly<Record<Standing, string>> = {
  active: 'This user is registered and active.',
  deactivated: 'This user is deactivated, so nobody can consent for the user.',
  new: 'No user has this external id. An approval registers a new user with it.',
  absent: 'No user has this id.',
  unknown:
    'Your token cannot read users, so the page cannot tell whether there is such a user. With an unknown external id, an approval registers a new one.',
}
