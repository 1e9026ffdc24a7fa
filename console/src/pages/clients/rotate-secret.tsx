import { useState } from 'preact/hooks'
import type { Client } from '../../../../src/gen/qscope/v1/client_pb.ts'
import { Confirmation, Dialog } from '../../components/dialog.tsx'
import { SelectField } from '../../components/field.tsx'
import { Secret } from '../../components/secret.tsx'
import { useSession } from '../../hooks/session.ts'

const HOUR_S = 3_600
const OVERLAPS = [
  ['0', 'no time: they stop working at once'],
  [String(HOUR_S), '1 hour'],
  [String(24 * HOUR_S), '1 day'],
  [String(7 * 24 * HOUR_S), '7 days'],
  [String(30 * 24 * HOUR_S), '30 days'],
] as const

/** Creates a new secret. The old ones work on until the client's programs have the new one. */
export function RotateSecret({ client, onClose }: { readonly client: Client; readonly onClose: () => void }) {
  const { api } = useSession()
  const [overlap, setOverlap] = useState(String(24 * HOUR_S))
  const [secret, setSecret] = useState<string | null>(null)
  if (secret !== null) {
    return (
      <Dialog title={`The new secret of ${client.clientId}`} onClose={onClose} isLocked>
        <Secret value={secret} />
        <div class="actions">
          <button type="button" onClick={onClose}>
            I have stored it
          </button>
        </div>
      </Dialog>
    )
  }
  const rotate = async () => {
    const { clientId, etag } = client
    const answer = await api.clients.rotateClientSecret({ clientId, etag, overlap: { seconds: BigInt(overlap) } })
    setSecret(answer.clientSecret)
  }
  return (
    <Confirmation
      title={`Rotate the secret of ${client.clientId}`}
      action="Create a new secret"
      danger={overlap === '0'}
      onClose={onClose}
      onConfirm={rotate}
      staysOpen
    >
      <SelectField label="Older secrets keep working for" value={overlap} onChange={setOverlap} options={OVERLAPS} />
    </Confirmation>
  )
}
