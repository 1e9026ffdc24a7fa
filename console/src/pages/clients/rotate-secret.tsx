import { useState } from 'preact/hooks'
import type { Client } from '../../../../src/gen/qscope/v1/client_pb.ts'
import { Confirmation } from '../../components/dialog.tsx'
import { SelectField } from '../../components/field.tsx'
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
  const { api, showSecret } = useSession()
  const [overlap, setOverlap] = useState(String(24 * HOUR_S))
  const rotate = async () => {
    const { clientId, etag } = client
    const answer = await api.clients.rotateClientSecret({ clientId, etag, overlap: { seconds: BigInt(overlap) } })
    showSecret({ clientId, value: answer.clientSecret })
  }
  return (
    <Confirmation
      title={`Rotate the secret of ${client.clientId}`}
      action="Create a new secret"
      danger={overlap === '0'}
      onClose={onClose}
      onConfirm={rotate}
    >
      <SelectField label="Older secrets keep working for" value={overlap} onChange={setOverlap} options={OVERLAPS} />
    </Confirmation>
  )
}
