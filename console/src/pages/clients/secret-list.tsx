import type { ClientSecretInfo } from '../../../../src/gen/qscope/v1/client_pb.ts'
import type { ListClientSecretsResponse } from '../../../../src/gen/qscope/v1/client_service_pb.ts'
import { Time } from '../../components/facts.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import type { Query } from '../../hooks/use-query.ts'

/** The secrets that prove a client now, without their values, which nobody has but the client. */
export function SecretList({ secrets }: { readonly secrets: Query<ListClientSecretsResponse> }) {
  const list = secrets.value?.secrets ?? []
  return (
    <section aria-labelledby="secrets">
      <h2 id="secrets">Secrets</h2>
      <RefusalNotice refusal={secrets.refusal} retry={secrets.reload} />
      {secrets.value !== null && list.length === 0 && <p class="quiet">It has none.</p>}
      {list.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Drawn</th>
              <th scope="col">Last used</th>
              <th scope="col">Works until</th>
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
      <td>
        <Time of={createTime} />
      </td>
      <td>
        <Time of={lastUsedTime} none="never" />
      </td>
      <td>
        <Time of={expireTime} none="it is replaced" />
      </td>
    </tr>
  )
}
