import { useState } from 'preact/hooks'
import { SelectField, TextField } from '../../components/field.tsx'
import { Form } from '../../components/form.tsx'
import { Heading } from '../../components/heading.tsx'
import { Permitted, PermittedButton } from '../../components/permitted.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { useWork } from '../../hooks/use-work.ts'
import type { Route } from '../../route.ts'
import { referenceOf, USER_IDS } from '../users/user-reference.ts'
import { GrantList } from './grant-list.tsx'
import { RevokeTokens, type Target } from './revoke-tokens.tsx'
import { type TokenFilter, TokenList } from './token-list.tsx'

export function TokenPage({ route }: { readonly route: Route }) {
  return (
    <>
      <Heading>Tokens and grants</Heading>
      <p>
        Tokens are listed by their handles, never by their values. A grant is what a user has consented to, with all
        tokens that were issued on it.
      </p>
      <Permitted permission="qscope:tokens.read">
        <Issued route={route} />
      </Permitted>
    </>
  )
}

const SHOWN = [
  ['tokens', 'tokens'],
  ['grants', 'grants'],
] as const
const STATES = [
  ['active', 'active'],
  ['', 'all'],
] as const

function Issued({ route: { parameters } }: { readonly route: Route }) {
  const { api } = useSession()
  const [clientId, setClientId] = useState(parameters.get('client') ?? '')
  const [user, setUser] = useState(parameters.get('user') ?? '')
  const [kind, setKind] = useState('userId')
  const [shown, setShown] = useState('tokens')
  const [state, setState] = useState('active')
  const [holder, setHolder] = useState({ clientId, userId: user })
  const [target, setTarget] = useState<Target | null>(null)
  // What was revoked is read anew.
  const [times, setTimes] = useState(0)
  const { isBusy, refusal, run } = useWork()
  const filter: TokenFilter = { ...holder, activeOnly: state === 'active', times }
  /** Tokens are listed by user ids, so the user of an external id is looked up first. */
  const userIdOf = async (signal: AbortSignal) => {
    const id = referenceOf(kind, user)
    if (id.case === 'userId' || id.value === '') return id.value
    return (await api.users.getUser({ id }, { signal })).user?.userId ?? ''
  }
  const apply = () => run(userIdOf, (userId) => setHolder({ clientId: clientId.trim(), userId }))
  const List = shown === 'tokens' ? TokenList : GrantList
  return (
    <>
      <Form onSubmit={apply} isBusy={isBusy}>
        <div class="filters">
          <TextField label="Client id" value={clientId} onInput={setClientId} />
          <SelectField label="User by" value={kind} onChange={setKind} options={USER_IDS} />
          <TextField label="The user’s id" value={user} onInput={setUser} />
          <SelectField label="Show" value={shown} onChange={setShown} options={SHOWN} />
          <SelectField label="State" value={state} onChange={setState} options={STATES} />
          <button type="submit">Apply the ids</button>
        </div>
      </Form>
      <RefusalNotice refusal={refusal} />
      {/* What somebody else has is not shown, and cannot be revoked, beside an id that was refused. */}
      {refusal === null && (
        <>
          <div class="actions">
            {holder.clientId !== '' && (
              <RevokeAll target={{ kind: 'client', id: holder.clientId }} onRevoke={setTarget} />
            )}
            {holder.userId !== '' && <RevokeAll target={{ kind: 'user', id: holder.userId }} onRevoke={setTarget} />}
          </div>
          <List filter={filter} onRevoke={setTarget} />
        </>
      )}
      {target !== null && (
        <RevokeTokens
          target={target}
          onClose={() => {
            setTarget(null)
            setTimes(times + 1)
          }}
        />
      )}
    </>
  )
}

interface RevokeAllProps {
  readonly target: Target & { readonly kind: 'client' | 'user' }
  readonly onRevoke: (target: Target) => void
}

function RevokeAll({ target, onRevoke }: RevokeAllProps) {
  return (
    <PermittedButton permission="qscope:tokens.revoke" danger onClick={() => onRevoke(target)}>
      Revoke everything of this {target.kind}
    </PermittedButton>
  )
}
