import { useState } from 'preact/hooks'
import type { DeviceAuthorization } from '../../../../src/gen/qscope/v1/device_service_pb.ts'
import { TextField } from '../../components/field.tsx'
import { Form } from '../../components/form.tsx'
import { Heading } from '../../components/heading.tsx'
import { Permitted } from '../../components/permitted.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { useWork } from '../../hooks/use-work.ts'
import { DeviceDecision } from './device-decision.tsx'

/** Where a front end has no page of its own on which users enter the code of a device (RFC 8628 §3.3). */
export function DevicePage() {
  return (
    <>
      <Heading>Device approvals</Heading>
      <p>
        Record a user’s decision about a device that shows a code. Authenticate the user first, as your front end would:
        the server takes your word for who consented.
      </p>
      <Permitted permission="qscope:consent">
        <DeviceApproval />
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
 */
function DeviceApproval() {
  const { api, session, arrivedCode } = useSession()
  const [userCode, setUserCode] = useState(() => arrivedCode.take())
  const [found, setFound] = useState<Found | null>(null)
  const { isBusy, refusal, run } = useWork()
  const lookUp = (code: string) => {
    setFound(null)
    const { attemptKey } = session
    return run(
      (signal) => api.devices.getDeviceAuthorization({ userCode: code, attemptKey }, { signal }),
      ({ deviceAuthorization: authorization }) =>
        setFound(authorization === undefined ? null : { userCode: code, authorization }),
    )
  }
  return (
    <>
      <Form onSubmit={() => lookUp(userCode)} isBusy={isBusy}>
        <div class="filters">
          <TextField label="User code" value={userCode} onInput={setUserCode} required autocomplete="off" />
          <button type="submit" class="primary">
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
