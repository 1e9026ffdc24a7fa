import { AuthenticationMethod, ClientType, GrantType } from '../../../../src/gen/qscope/v1/client_pb.ts'
import type { Refusal } from '../../api/refusal.ts'
import { problemsOf } from '../../components/changes.ts'
import { Choices, SelectField, TextField } from '../../components/field.tsx'
import { optionsOf } from '../../components/options.ts'
import { CLIENT_FIELDS, type ClientDraft } from './draft.ts'
import { AUTHENTICATION_METHODS, CLIENT_TYPES, GRANT_TYPES, TOKEN_FORMATS } from './labels.ts'

interface ClientFormProps {
  readonly draft: ClientDraft
  readonly onChange: (draft: ClientDraft) => void
  /** Whether the client exists, so that its id, type and method stay as they are. */
  readonly isRegistered: boolean
  /** What the server says of the draft. */
  readonly refusal: Refusal | null
}

const ON_LINES = 'One per line.'
const AS_IDENTITY = 'One per line: issuer, subject, and perhaps an object of JSON with the claims that must hold.'
const AS_RESOURCE = 'The client verifies tokens for these. One per line.'

/** The fields of a client. What the server finds wrong stands beside the field. */
export function ClientForm({ draft, onChange, isRegistered, refusal }: ClientFormProps) {
  const problems = problemsOf(CLIENT_FIELDS, refusal)
  const text = (key: TextKey) => ({
    value: draft[key],
    problem: problems.get(key),
    onInput: (value: string) => onChange({ ...draft, [key]: value }),
  })
  const choice = (key: TextKey) => ({
    value: draft[key],
    problem: problems.get(key),
    onChange: (value: string) => onChange({ ...draft, [key]: value }),
  })
  const method = Number(draft.authenticationMethod)
  const needsRedirect = draft.grantTypes.has(String(GrantType.AUTHORIZATION_CODE))
  return (
    <>
      {!isRegistered && (
        <div class="columns">
          <TextField label="Client id" {...text('clientId')} hint="Empty: the server chooses one." />
          <SelectField label="Type" {...choice('type')} options={optionsOf(CLIENT_TYPES)} />
        </div>
      )}
      <div class="columns">
        <TextField label="Name" {...text('displayName')} />
        {!isRegistered && (
          <SelectField
            label="Authentication method"
            {...choice('authenticationMethod')}
            options={optionsOf(AUTHENTICATION_METHODS, 0)}
            hint={draft.type === String(ClientType.PUBLIC) ? 'A public client does not authenticate.' : undefined}
          />
        )}
      </div>
      {method === AuthenticationMethod.PRIVATE_KEY_JWT && (
        <>
          <TextField label="Public keys (JSON Web Key Set)" rows={5} {...text('jwks')} />
          <TextField label="URL of public keys" {...text('jwksUri')} hint="Instead of the keys: an https URL." />
        </>
      )}
      {method === AuthenticationMethod.FEDERATED_JWT && (
        <TextField label="Federated identities" rows={3} {...text('federatedIdentities')} hint={AS_IDENTITY} />
      )}
      {method === AuthenticationMethod.TLS_CLIENT && (
        <TextField label="Certificate subject" {...text('tlsClientSubject')} hint="Such as dns:orders.internal." />
      )}
      <Choices
        label="Grant types"
        chosen={draft.grantTypes}
        problem={problems.get('grantTypes')}
        onChange={(grantTypes) => onChange({ ...draft, grantTypes })}
        options={optionsOf(GRANT_TYPES)}
      />
      {(needsRedirect || draft.redirectUris !== '') && (
        <TextField label="Redirect URIs" rows={2} {...text('redirectUris')} hint={ON_LINES} />
      )}
      <div class="columns">
        <TextField label="Scopes" rows={4} {...text('scopes')} hint={ON_LINES} />
        <TextField label="Audiences" rows={4} {...text('audiences')} hint={ON_LINES} />
        <TextField label="Resource audiences" rows={4} {...text('resourceAudiences')} hint={AS_RESOURCE} />
      </div>
      <div class="columns">
        <SelectField
          label="Access token format"
          {...choice('accessTokenFormat')}
          options={optionsOf(TOKEN_FORMATS, isRegistered ? 1 : 0)}
        />
        <TextField label="Access token lifetime (seconds)" type="number" {...text('accessTokenTtl')} />
        <TextField label="Refresh token lifetime (seconds)" type="number" {...text('refreshTokenTtl')} />
      </div>
    </>
  )
}

type TextKey = { [Key in keyof ClientDraft]: ClientDraft[Key] extends string ? Key : never }[keyof ClientDraft]
