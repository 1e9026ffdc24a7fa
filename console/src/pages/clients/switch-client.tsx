import type { Client } from '../../../../src/gen/qscope/v1/client_pb.ts'
import { Confirmation } from '../../components/dialog.tsx'
import { Uncounted } from '../../components/uncounted.tsx'
import { useSession } from '../../hooks/session.ts'
import { useActiveCounts } from '../../hooks/use-active-counts.ts'

/** Disables a client, after saying what that ends; or enables it. */
export function SwitchClient({ client, onClose }: { readonly client: Client; readonly onClose: () => void }) {
  const { api } = useSession()
  const { clientId, etag, enabled } = client
  const confirm = (): Promise<unknown> =>
    enabled ? api.clients.disableClient({ clientId, etag }) : api.clients.enableClient({ clientId, etag })
  return (
    <Confirmation
      title={`${enabled ? 'Disable' : 'Enable'} ${clientId}`}
      action={enabled ? 'Disable' : 'Enable'}
      danger={enabled}
      onClose={onClose}
      onConfirm={confirm}
    >
      {enabled ? (
        <EndsWith clientId={clientId} />
      ) : (
        <p>
          It can authenticate again, and its tokens that have not expired work again. After a compromise, revoke them
          first.
        </p>
      )}
    </Confirmation>
  )
}

/** What stops with a client. */
function EndsWith({ clientId }: { readonly clientId: string }) {
  const { counts, refusal } = useActiveCounts({ clientId })
  return (
    <>
      <p>From the next call on, at every instance:</p>
      <ul>
        <li>the client cannot authenticate, and gets no tokens;</li>
        {counts === null ? (
          <li>its tokens, and what users granted to it, are not accepted.</li>
        ) : (
          <li>
            {counts.tokens} and {counts.grants} of users are not accepted.
          </li>
        )}
      </ul>
      <Uncounted refusal={refusal} />
      <p>When the client is enabled again, those that have not expired work again.</p>
    </>
  )
}
