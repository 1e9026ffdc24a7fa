import type { ClientSecretInfo } from '../../../../src/gen/qscope/v1/client_pb.ts'
import type { ListClientSecretsResponse } from '../../../../src/gen/qscope/v1/client_service_pb.ts'
import { Time } from '../../components/facts.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import type { Query } from '../../hooks/use-query.ts'

/** The secrets that a client can authenticate with now. Nobody but the client has their values. */
export function SecretList({ secrets }: { readonly secrets: Query<ListClientSecretsResponse> }) {
  const list = secrets.value?.secrets ?? []
  return (
    <section aria-labelledby="secrets">
      <h2 id="secrets">Secrets</h2>
      <RefusalNotice refusal={secrets.refusal} retry={secrets.reload} />
      {secrets.value !== null && list.length === 0 && <p class="quiet">This client has no secret.</p>}
      {list.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Created</th>
              <th scope="col">Last used</th>
              <th scope="col">Expires</th>
            </tr>
          </thead>
          <tbody>
            {list.map((secret) => (
              <SecretRow key={secret.secretId} secret={secret} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function SecretRow({ secret: { createTime, lastUsedTime, expireTime } }: { readonly secret: ClientSecretInfo }) {
  return (
    <tr>
      <th scope="row">
        <Time of={createTime} />
      </th>
      <td>
        <Time of={lastUsedTime} none="never" />
      </td>
      <td>
        <Time of={expireTime} none="when it is replaced" />
      </td>
    </tr>
  )
}
