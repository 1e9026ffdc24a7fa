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
import { wordsOf } from '../../text.ts'
import { durationOf, plain, secondsOf } from './duration.ts'
import { identitiesOf, identityLines, linesIn } from './federated-identities.ts'
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

/** How each field that can be changed is called: by people, and in an update mask. */
interface Field {
  readonly label: string
  readonly path: string
  /** Its value, a line for each part. */
  readonly linesOf: (draft: ClientDraft) => readonly string[]
}

const line = (text: string): readonly string[] => (text.trim() === '' ? [] : [text.trim()])
const list = (text: string): readonly string[] => wordsOf(text).toSorted()

export const FIELDS: Readonly<Partial<Record<keyof ClientDraft, Field>>> = {
  displayName: { label: 'Name', path: 'display_name', linesOf: (draft) => line(draft.displayName) },
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
  jwks: { label: 'Public keys', path: 'jwks', linesOf: (draft) => line(draft.jwks) },
  jwksUri: { label: 'URL of public keys', path: 'jwks_uri', linesOf: (draft) => line(draft.jwksUri) },
  federatedIdentities: {
    label: 'Federated identities',
    path: 'federated_identities',
    linesOf: (draft) => linesIn(draft.federatedIdentities).toSorted(),
  },
  tlsClientSubject: {
    label: 'Certificate subject',
    path: 'tls_client_subject',
    linesOf: (draft) => line(draft.tlsClientSubject),
  },
  accessTokenFormat: {
    label: 'Access token format',
    path: 'config.access_token_format',
    linesOf: ({ accessTokenFormat }) =>
      line(TOKEN_FORMATS[Number(accessTokenFormat) as AccessTokenFormat] ?? accessTokenFormat),
  },
  accessTokenTtl: {
    label: 'Access token lifetime (seconds)',
    path: 'config.access_token_ttl',
    linesOf: (draft) => line(plain(draft.accessTokenTtl)),
  },
  refreshTokenTtl: {
    label: 'Refresh token lifetime (seconds)',
    path: 'config.refresh_token_ttl',
    linesOf: (draft) => line(plain(draft.refreshTokenTtl)),
  },
}

/** What differs in one field. */
export interface Change {
  readonly key: keyof ClientDraft
  readonly label: string
  readonly path: string
  readonly removed: readonly string[]
  readonly added: readonly string[]
}

/** What an update from one to the other would change. The order of a list, and white space, do not count. */
export function changesOf(before: ClientDraft, after: ClientDraft): readonly Change[] {
  return fieldEntries().flatMap(([key, { label, path, linesOf }]) => {
    const [old, now] = [linesOf(before), linesOf(after)]
    const removed = old.filter((each) => !now.includes(each))
    const added = now.filter((each) => !old.includes(each))
    return removed.length + added.length === 0 ? [] : [{ key, label, path, removed, added }]
  })
}

/** The current client with what was changed from `base` to `mine`. Fields that were left alone follow the current one. */
export function rebased(base: ClientDraft, mine: ClientDraft, current: ClientDraft): ClientDraft {
  const own = changesOf(base, mine).map(({ key }) => [key, mine[key]])
  // Each key with its own value of the same type.
  return { ...current, ...(Object.fromEntries(own) as Partial<ClientDraft>) }
}

/**
 * The field of the form that a violation of the contract's rules is about, in a registration or under `client` of an
 * update; `undefined`: none of them.
 */
export function fieldOfViolation(path: string): keyof ClientDraft | undefined {
  const [start = ''] = path.replace(/^client\./, '').split('[', 1)
  return fieldEntries().find(([, field]) => field.path === start)?.[0] ?? UNCHANGEABLE[start]
}

const UNCHANGEABLE: Readonly<Record<string, keyof ClientDraft>> = Object.freeze({
  client_id: 'clientId',
  type: 'type',
  authentication_method: 'authenticationMethod',
})

function fieldEntries(): readonly [keyof ClientDraft, Field][] {
  // The keys of the table are keys of a draft.
  return Object.entries(FIELDS) as [keyof ClientDraft, Field][]
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
    updateMask: { paths: changesOf(before, after).map(({ path }) => path) },
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
