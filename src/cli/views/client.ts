import {
  AccessTokenFormatSchema,
  AuthenticationMethodSchema,
  type Client,
  ClientTypeSchema,
  type FederatedIdentity,
  GrantTypeSchema,
} from '../../gen/qscope/v1/client_pb.ts'
import { nameOf } from '../options/options.ts'
import { state, yesNo } from '../output/cell.ts'
import { durationText, entriesText, listText, type Pair, timeText, type View } from '../output/output.ts'

export const clientView: View<Client> = {
  name: ({ clientId }) => clientId,
  columns: [
    { heading: 'CLIENT ID', value: ({ clientId }) => clientId, whole: true },
    { heading: 'NAME', value: ({ displayName }) => displayName },
    { heading: 'TYPE', value: ({ type }) => nameOf(ClientTypeSchema, type), wide: true },
    { heading: 'ENABLED', value: ({ enabled }) => state(yesNo(enabled)) },
    { heading: 'GRANTS', value: grantsText },
    { heading: 'SCOPES', value: ({ scopes }) => listText(scopes) },
  ],
  pairs: clientPairs,
}

function grantsText({ grantTypes }: Client): string {
  return listText(grantTypes.map((grant) => nameOf(GrantTypeSchema, grant)))
}

function identityText({ issuer, subject, requiredClaims }: FederatedIdentity): string {
  const required = entriesText(requiredClaims)
  return `${subject} of ${issuer}${required === '' ? '' : ` (${required})`}`
}

function clientPairs(client: Client): readonly Pair[] {
  const { config } = client
  return [
    ['client id', client.clientId],
    ['name', client.displayName],
    ['type', nameOf(ClientTypeSchema, client.type)],
    ['authentication', nameOf(AuthenticationMethodSchema, client.authenticationMethod)],
    ['certificate', client.tlsClientSubject],
    ['key set', client.jwks || client.jwksUri],
    ['federated identities', listText(client.federatedIdentities.map(identityText))],
    ['enabled', state(yesNo(client.enabled))],
    ['grants', grantsText(client)],
    ['scopes', listText(client.scopes)],
    ['audiences', listText(client.audiences)],
    ['resource audiences', listText(client.resourceAudiences)],
    ['redirect uris', listText(client.redirectUris)],
    ['access token ttl', durationText(config?.accessTokenTtl)],
    [
      'access token format',
      config?.accessTokenFormat ? nameOf(AccessTokenFormatSchema, config.accessTokenFormat) : null,
    ],
    ['metadata', entriesText(config?.metadata ?? {})],
    ['etag', client.etag],
    ['created', `${timeText(client.createTime)} by ${client.createdBy}`],
    ['updated', `${timeText(client.updateTime)} by ${client.updatedBy}`],
  ]
}
