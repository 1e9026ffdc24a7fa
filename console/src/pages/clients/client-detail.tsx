import { useState } from 'preact/hooks'
import type { Client } from '../../../../src/gen/qscope/v1/client_pb.ts'
import { Badge, Facts, Moment, Values } from '../../components/facts.tsx'
import { PermittedButton } from '../../components/permitted.tsx'
import { RefusalNotice } from '../../components/refusal-notice.tsx'
import { useSession } from '../../hooks/session.ts'
import { useQuery } from '../../hooks/use-query.ts'
import { linkTo } from '../../route.ts'
import { EditClient } from './edit-client.tsx'
import { identityLines } from './federated-identities.ts'
import { AUTHENTICATION_METHODS, CLIENT_TYPES, GRANT_TYPES, TOKEN_FORMATS } from './labels.ts'
import { RotateSecret } from './rotate-secret.tsx'
import { SecretList } from './secret-list.tsx'
import { SwitchClient } from './switch-client.tsx'

type Doing = 'rotate' | 'switch' | null

interface ClientDetailProps {
  readonly clientId: string
  /** Whether the form is shown that changes the client. */
  readonly isEditing: boolean
  readonly onEdit: (isEditing: boolean) => void
}

export function ClientDetail({ clientId, isEditing, onEdit }: ClientDetailProps) {
  const { api } = useSession()
  const [doing, setDoing] = useState<Doing>(null)
  const { value, refusal, reload } = useQuery(
    (signal) => api.clients.getClient({ clientId }, { signal }),
    [api, clientId],
  )
  const secrets = useQuery((signal) => api.clients.listClientSecrets({ clientId }, { signal }), [api, clientId])
  const client = value?.client
  const done = () => {
    setDoing(null)
    onEdit(false)
    reload()
    secrets.reload()
  }
  if (client === undefined) {
    return refusal === null ? <p role="status">Loading…</p> : <RefusalNotice refusal={refusal} retry={reload} />
  }
  if (isEditing) return <EditClient client={client} onDone={done} onCancel={() => onEdit(false)} />
  return (
    <>
      <RefusalNotice refusal={refusal} retry={reload} />
      <ClientFacts client={client} />
      <div class="actions">
        <PermittedButton permission="qscope:clients.write" onClick={() => onEdit(true)}>
          Change
        </PermittedButton>
        <PermittedButton permission="qscope:clients.write" onClick={() => setDoing('rotate')}>
          Rotate the secret
        </PermittedButton>
        <PermittedButton permission="qscope:clients.write" danger={client.enabled} onClick={() => setDoing('switch')}>
          {client.enabled ? 'Disable' : 'Enable'}
        </PermittedButton>
        <a class="button" href={linkTo('tokens', undefined, { client: clientId })}>
          Tokens and grants
        </a>
        <a class="button" href={linkTo('audit', undefined, { client: clientId })}>
          Events
        </a>
        <a class="button" href={linkTo('clients')}>
          All clients
        </a>
      </div>
      <SecretList secrets={secrets} />
      {doing === 'rotate' && <RotateSecret client={client} onClose={done} />}
      {doing === 'switch' && <SwitchClient client={client} onClose={done} />}
    </>
  )
}

function ClientFacts({ client }: { readonly client: Client }) {
  const { config } = client
  const format = config?.accessTokenFormat
  return (
    <Facts
      of={[
        ['State', <Badge tone={client.enabled ? 'good' : 'bad'}>{client.enabled ? 'enabled' : 'disabled'}</Badge>],
        ['Name', client.displayName],
        ['Type', CLIENT_TYPES[client.type]],
        ['Authentication method', AUTHENTICATION_METHODS[client.authenticationMethod]],
        ['Grant types', client.grantTypes.map((grant) => GRANT_TYPES[grant]).join(', ') || 'none'],
        ['Scopes', <Values of={client.scopes} />],
        ['Audiences', <Values of={client.audiences} />],
        ['Resource audiences', <Values of={client.resourceAudiences} none="its own id" />],
        ['URL of public keys', client.jwksUri === '' ? 'none' : <code>{client.jwksUri}</code>],
        ['Federated identities', <Values of={identityLines(client.federatedIdentities)} />],
        ['Redirect URIs', <Values of={client.redirectUris} />],
        ['Access tokens', format === undefined ? '' : `${TOKEN_FORMATS[format]}, ${config?.accessTokenTtl?.seconds} s`],
        ['Managed by', client.owner === '' ? 'no configuration' : <code>{client.owner}</code>],
        ['Registered', <Moment time={client.createTime} by={client.createdBy} />],
        ['Changed', <Moment time={client.updateTime} by={client.updatedBy} />],
      ]}
    />
  )
}
