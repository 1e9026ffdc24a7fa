import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  type AccessTokenFormat,
  AuthenticationMethod,
  type Client,
  ClientType,
  type GrantType,
} from '../../../../src/gen/qscope/v1/client_pb.ts'
import type {
  RegisterClientRequestSchema,
  UpdateClientRequestSchema,
} from '../../../../src/gen/qscope/v1/client_service_pb.ts'
import { changesOf, type FieldTable, lineOf } from '../../components/changes.ts'
import { durationOf, plain, secondsOf } from '../../components/duration.ts'
import { linesIn, wordsOf } from '../../text.ts'
import { identitiesOf, identityLines } from './federated-identities.ts'
import { AUTHENTICATION_METHODS, GRANT_TYPES, TOKEN_FORMATS } from './labels.ts'

/** A client as a form holds it. Lists are words in a text; choices are the numbers of the contract. */
export interface ClientDraft {
  readonly clientId: string
  readonly displayName: string
  readonly type: string
  readonly authenticationMethod: string
  readonly grantTypes: ReadonlySet<string>
  readonly redirectUris: string
  readonly scopes: string
  readonly audiences: string
  readonly resourceAudiences: string
  readonly jwks: string
  readonly jwksUri: string
  /** A line for each. */
  readonly federatedIdentities: string
  readonly tlsClientSubject: string
  readonly accessTokenFormat: string
  /** Seconds; empty: the default. */
  readonly accessTokenTtl: string
  /** Seconds; empty: the default. */
  readonly refreshTokenTtl: string
}

export const NEW_CLIENT: ClientDraft = Object.freeze({
  clientId: '',
  displayName: '',
  type: String(ClientType.CONFIDENTIAL),
  authenticationMethod: '0',
  grantTypes: new Set(['2']),
  redirectUris: '',
  scopes: '',
  audiences: '',
  resourceAudiences: '',
  jwks: '',
  jwksUri: '',
  federatedIdentities: '',
  tlsClientSubject: '',
  accessTokenFormat: '0',
  accessTokenTtl: '',
  refreshTokenTtl: '',
})

const list = (text: string): readonly string[] => wordsOf(text).toSorted()

const CHANGEABLE: FieldTable<ClientDraft>['changeable'] = {
  displayName: { label: 'Name', path: 'display_name', linesOf: (draft) => lineOf(draft.displayName) },
  grantTypes: {
    label: 'Grant types',
    path: 'grant_types',
    linesOf: ({ grantTypes }) =>
      [...grantTypes].toSorted().map((each) => GRANT_TYPES[Number(each) as GrantType] ?? each),
  },
  redirectUris: { label: 'Redirect URIs', path: 'redirect_uris', linesOf: (draft) => list(draft.redirectUris) },
  scopes: { label: 'Scopes', path: 'scopes', linesOf: (draft) => list(draft.scopes) },
  audiences: { label: 'Audiences', path: 'audiences', linesOf: (draft) => list(draft.audiences) },
  resourceAudiences: {
    label: 'Resource audiences',
    path: 'resource_audiences',
    linesOf: (draft) => list(draft.resourceAudiences),
  },
  jwks: { label: 'Public keys', path: 'jwks', linesOf: (draft) => lineOf(draft.jwks) },
  jwksUri: { label: 'URL of public keys', path: 'jwks_uri', linesOf: (draft) => lineOf(draft.jwksUri) },
  federatedIdentities: {
    label: 'Federated identities',
    path: 'federated_identities',
    linesOf: (draft) => linesIn(draft.federatedIdentities).toSorted(),
  },
  tlsClientSubject: {
    label: 'Certificate subject',
    path: 'tls_client_subject',
    linesOf: (draft) => lineOf(draft.tlsClientSubject),
  },
  accessTokenFormat: {
    label: 'Access token format',
    path: 'config.access_token_format',
    linesOf: ({ accessTokenFormat }) =>
      lineOf(TOKEN_FORMATS[Number(accessTokenFormat) as AccessTokenFormat] ?? accessTokenFormat),
  },
  accessTokenTtl: {
    label: 'Access token lifetime (seconds)',
    path: 'config.access_token_ttl',
    linesOf: (draft) => lineOf(plain(draft.accessTokenTtl)),
  },
  refreshTokenTtl: {
    label: 'Refresh token lifetime (seconds)',
    path: 'config.refresh_token_ttl',
    linesOf: (draft) => lineOf(plain(draft.refreshTokenTtl)),
  },
}

export const CLIENT_FIELDS: FieldTable<ClientDraft> = {
  prefix: 'client.',
  changeable: CHANGEABLE,
  others: { client_id: 'clientId', type: 'type', authentication_method: 'authenticationMethod' },
}

export function draftOf(client: Client): ClientDraft {
  const { config } = client
  return {
    clientId: client.clientId,
    displayName: client.displayName,
    type: String(client.type),
    authenticationMethod: String(client.authenticationMethod),
    grantTypes: new Set(client.grantTypes.map(String)),
    redirectUris: client.redirectUris.join('\n'),
    scopes: client.scopes.join('\n'),
    audiences: client.audiences.join('\n'),
    resourceAudiences: client.resourceAudiences.join('\n'),
    jwks: client.jwks,
    jwksUri: client.jwksUri,
    federatedIdentities: identityLines(client.federatedIdentities).join('\n'),
    tlsClientSubject: client.tlsClientSubject,
    accessTokenFormat: String(config?.accessTokenFormat ?? 0),
    accessTokenTtl: secondsOf(config?.accessTokenTtl),
    refreshTokenTtl: secondsOf(config?.refreshTokenTtl),
  }
}

/** The request that registers it. What is empty is left to the server's defaults. */
export function registrationOf(draft: ClientDraft): MessageInitShape<typeof RegisterClientRequestSchema> {
  const { clientId, displayName } = draft
  return {
    ...listsOf(draft),
    ...credentialOf(draft),
    type: Number(draft.type) as ClientType,
    authenticationMethod: methodOf(draft),
    config: configOf(draft),
    ...(clientId.trim() !== '' && { clientId: clientId.trim() }),
    ...(displayName.trim() !== '' && { displayName: displayName.trim() }),
  }
}

/** What the client authenticates with. The fields of other methods are not seen, so they do not count. */
function credentialOf(draft: ClientDraft) {
  const [jwks, jwksUri, tlsClientSubject] = [draft.jwks.trim(), draft.jwksUri.trim(), draft.tlsClientSubject.trim()]
  switch (methodOf(draft)) {
    case AuthenticationMethod.PRIVATE_KEY_JWT:
      return { ...(jwks !== '' && { jwks }), ...(jwksUri !== '' && { jwksUri }) }
    case AuthenticationMethod.TLS_CLIENT:
      return { ...(tlsClientSubject !== '' && { tlsClientSubject }) }
    case AuthenticationMethod.FEDERATED_JWT:
      return { federatedIdentities: identitiesOf(draft.federatedIdentities) }
    default:
      return {}
  }
}

/** The request that changes a client from one to the other, if it still is the one that was read. */
export function updateOf(
  before: ClientDraft,
  after: ClientDraft,
  etag: string,
): MessageInitShape<typeof UpdateClientRequestSchema> {
  const { clientId, displayName, jwks, jwksUri, tlsClientSubject } = after
  return {
    client: {
      clientId,
      displayName: displayName.trim(),
      jwks: jwks.trim(),
      jwksUri: jwksUri.trim(),
      tlsClientSubject: tlsClientSubject.trim(),
      federatedIdentities: identitiesOf(after.federatedIdentities),
      ...listsOf(after),
      config: configOf(after),
    },
    updateMask: { paths: changesOf(CLIENT_FIELDS, before, after).map(({ path }) => path) },
    etag,
  }
}

function listsOf({ grantTypes, redirectUris, scopes, audiences, resourceAudiences }: ClientDraft) {
  return {
    grantTypes: [...grantTypes].map((each) => Number(each) as GrantType),
    redirectUris: wordsOf(redirectUris),
    scopes: wordsOf(scopes),
    audiences: wordsOf(audiences),
    resourceAudiences: wordsOf(resourceAudiences),
  }
}

function configOf({ accessTokenFormat, accessTokenTtl, refreshTokenTtl }: ClientDraft) {
  return {
    ...(accessTokenFormat !== '0' && { accessTokenFormat: Number(accessTokenFormat) as AccessTokenFormat }),
    ...(accessTokenTtl !== '' && { accessTokenTtl: durationOf(accessTokenTtl) }),
    ...(refreshTokenTtl !== '' && { refreshTokenTtl: durationOf(refreshTokenTtl) }),
  }
}

function methodOf({ authenticationMethod }: ClientDraft): AuthenticationMethod {
  const method = Number(authenticationMethod) as AuthenticationMethod
  return method in AUTHENTICATION_METHODS ? method : 0
}
