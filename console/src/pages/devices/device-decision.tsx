import { useState } from 'preact/hooks'
import { type DeviceAuthorization, DeviceAuthorizationState } from '../../../../src/gen/qscope/v1/device_service_pb.ts'
import { Confirmation } from '../../components/dialog.tsx'
import { Badge, Facts, Time, type Tone, Values } from '../../components/facts.tsx'
import { Choices } from '../../components/field.tsx'
import { useSession } from '../../hooks/session.ts'
import { ConsentingUser, type NamedUser } from './consenting-user.tsx'

const STATES: Readonly<Record<DeviceAuthorizationState, readonly [tone: Tone, word: string]>> = {
  [DeviceAuthorizationState.UNSPECIFIED]: ['plain', 'unknown'],
  [DeviceAuthorizationState.PENDING]: ['warning', 'not decided'],
  [DeviceAuthorizationState.APPROVED]: ['good', 'approved'],
  [DeviceAuthorizationState.DENIED]: ['bad', 'denied'],
  [DeviceAuthorizationState.EXPIRED]: ['plain', 'expired'],
  [DeviceAuthorizationState.REDEEMED]: ['good', 'approved, and the device has its token'],
}

interface DeviceDecisionProps {
  readonly userCode: string
  readonly authorization: DeviceAuthorization
  readonly onDecided: () => void
}

/** What a device asks for, and the decision about it. */
export function DeviceDecision({ userCode, authorization, onDecided }: DeviceDecisionProps) {
  const { clientId, clientDisplayName, audiences, state, expireTime } = authorization
  const [tone, word] = STATES[state] ?? STATES[DeviceAuthorizationState.UNSPECIFIED]
  const isOpen = state === DeviceAuthorizationState.PENDING
  return (
    <section aria-label="Device" aria-live="polite">
      <Facts
        of={[
          ['State', <Badge tone={tone}>{word}</Badge>],
          ['Client', <code>{clientId}</code>],
          ['Client name', clientDisplayName === '' ? 'none' : clientDisplayName],
          ['Asks for', <Values of={authorization.scopes} none="no scopes" />],
          ['Audiences', <Values of={audiences} none="any" />],
          ['Code expires', <Time of={expireTime} />],
        ]}
      />
      {isOpen && <Deciding userCode={userCode} authorization={authorization} onDecided={onDecided} />}
    </section>
  )
}

function Deciding({ userCode, authorization, onDecided }: DeviceDecisionProps) {
  const { api, session } = useSession()
  const { clientId, clientDisplayName, scopes } = authorization
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(scopes))
  const [user, setUser] = useState<NamedUser | null>(null)
  const [asked, setAsked] = useState<'approve' | 'deny' | null>(null)
  const { attemptKey } = session
  const consented = scopes.filter((scope) => chosen.has(scope))
  const name = clientDisplayName === '' ? clientId : `${clientDisplayName} (${clientId})`
  const close = () => setAsked(null)
  const approve = (by: NamedUser) =>
    api.devices.approveDeviceAuthorization({ userCode, attemptKey, user: { id: by.reference }, scopes: consented })
  const deny = () => api.devices.denyDeviceAuthorization({ userCode, attemptKey })
  return (
    <>
      <Choices
        label="Scopes that the user consents to"
        chosen={chosen}
        onChange={setChosen}
        options={scopes.map((scope) => [scope, scope] as const)}
      />
      <ConsentingUser onChange={setUser} />
      <div class="actions">
        <button
          type="button"
          class="primary"
          // To consent to none of several is to deny: the server takes an empty list for all of them.
          disabled={user === null || (scopes.length > 0 && consented.length === 0)}
          onClick={() => setAsked('approve')}
        >
          Approve…
        </button>
        <button type="button" class="danger" onClick={() => setAsked('deny')}>
          Deny…
        </button>
      </div>
      {asked === 'approve' && user !== null && (
        <Confirmation
          title={`Approve ${userCode}`}
          action="Approve"
          onClose={close}
          onConfirm={() => approve(user)}
          onDone={onDecided}
        >
          <p>
            {name} gets tokens that speak for the user <code>{user.reference.value}</code>, with these scopes:{' '}
            <Values of={consented} none="none" />
          </p>
          {user.standing === 'new' && (
            <p class="notice warning">No user has this external id: a new user is registered with this approval.</p>
          )}
          {user.standing === 'unknown' && (
            <p class="notice warning">
              Your token cannot read users. If nobody has this id, an external id registers a new user.
            </p>
          )}
          <p>
            <strong>Is the device that shows this code in the user’s own hands?</strong> Somebody who sends a code to a
            user wants the user’s tokens on another device (RFC 8628 §5.4).
          </p>
        </Confirmation>
      )}
      {asked === 'deny' && (
        <Confirmation
          title={`Deny ${userCode}`}
          action="Deny"
          danger
          onClose={close}
          onConfirm={deny}
          onDone={onDecided}
        >
          <p>{name} is told that the user refused. The device has to start again with another code.</p>
        </Confirmation>
      )}
    </>
  )
}
