import { useEffect, useState } from 'preact/hooks'
import type { DeviceAuthorization } from '../../../../src/gen/qscope/v1/device_service_pb.ts'
import { type Refusal, refusalOf } from '../../api/refusal.ts'
import { TextField } from '../../components/field.tsx'
import { Form } from '../../components/form.tsx'
import { Heading } from '../../components/heading.tsx'
import { Permitted } from '../../components/permitted.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { linkTo, type Route } from '../../route.ts'
import { DeviceDecision } from './device-decision.tsx'

/** Where a front end has no page of its own on which users enter the code of a device (RFC 8628 §3.3). */
export function DevicePage({ route }: { readonly route: Route }) {
  return (
    <>
      <Heading>Device approvals</Heading>
      <p>
        Record a user’s decision about a device that shows a code. Authenticate the user first, as your front end would:
        the server takes your word for who consented.
      </p>
      <Permitted permission="qscope:consent">
        <DeviceApproval linked={route.parameters.get('user_code')} />
      </Permitted>
    </>
  )
}

interface Found {
  readonly userCode: string
  readonly authorization: DeviceAuthorization
}

/**
 * A code that came with the address is only written into the field: to look it up and to decide are up to the reader.
 * `linked`: the code of a link that was opened during the session.
 */
function DeviceApproval({ linked }: { readonly linked: string | null }) {
  const { api, session, arrivedCode } = useSession()
  const [userCode, setUserCode] = useState(() => linked ?? arrivedCode.take())
  const [isBusy, setBusy] = useState(false)
  const [found, setFound] = useState<Found | null>(null)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  // The code does not stay in the address and the history of the browser.
  useEffect(() => history.replaceState(null, '', linkTo('devices')), [])
  const lookUp = async (code: string) => {
    setBusy(true)
    setFound(null)
    setRefusal(null)
    try {
      const { attemptKey } = session
      const { deviceAuthorization } = await api.devices.getDeviceAuthorization({ userCode: code, attemptKey })
      if (deviceAuthorization !== undefined) setFound({ userCode: code, authorization: deviceAuthorization })
    } catch (error) {
      setRefusal(refusalOf(error))
    }
    setBusy(false)
  }
  return (
    <>
      <Form onSubmit={() => lookUp(userCode)}>
        <div class="filters">
          <TextField label="User code" value={userCode} onInput={setUserCode} required autocomplete="off" />
          <button type="submit" class="primary" disabled={isBusy}>
            {isBusy ? 'Looking up…' : 'Look up'}
          </button>
        </div>
      </Form>
      {refusal?.reason === 'RESOURCE_NOT_FOUND' ? (
        <p class="notice warning" role="alert">
          No device waits with this code: it is mistyped or has expired. Too many wrong codes are refused.
        </p>
      ) : (
        <RefusalNotice refusal={refusal} />
      )}
      {found !== null && (
        <DeviceDecision key={found.userCode} {...found} onDecided={() => void lookUp(found.userCode)} />
      )}
    </>
  )
}
