import {
  AccessTokenFormatSchema,
  AuthenticationMethodSchema,
  type Client,
  ClientTypeSchema,
  GrantTypeSchema,
} from '../../gen/qscope/v1/client_pb.ts'
import { nameOf } from '../options.ts'
import type { Output } from '../output.ts'
import { list, span, time, yesNo } from '../show.ts'
import { keyValues } from '../table.ts'

/** Everything about a client, for people; with its secret, if it was just drawn. */
export function showClient(client: Client | undefined, output: Output, secret = ''): string {
  if (client === undefined) return ''
  const { config } = client
  return keyValues(
    [
      ['client id', client.clientId],
      ['client secret', secret === '' ? null : `${secret}  (shown once; keep it safe)`],
      ['name', client.displayName],
      ['type', nameOf(ClientTypeSchema, client.type)],
      ['authentication', nameOf(AuthenticationMethodSchema, client.authenticationMethod)],
      ['certificate', client.tlsClientSubject || null],
      ['key set', client.jwks || null],
      ['enabled', yesNo(client.enabled)],
      ['grants', list(client.grantTypes.map((grant) => nameOf(GrantTypeSchema, grant)))],
      ['scopes', list(client.scopes)],
      ['audiences', list(client.audiences)],
      ['resource audiences', list(client.resourceAudiences)],
      ['redirect uris', list(client.redirectUris)],
      ['access token ttl', span(config?.accessTokenTtl)],
      [
        'access token format',
        config?.accessTokenFormat ? nameOf(AccessTokenFormatSchema, config.accessTokenFormat) : null,
      ],
      ['metadata', list(Object.entries(config?.metadata ?? {}).map(([key, value]) => `${key}=${value}`))],
      ['etag', client.etag],
      ['created', `${time(client.createTime)} by ${client.createdBy}`],
      ['updated', `${time(client.updateTime)} by ${client.updatedBy}`],
    ],
    output.bold,
  )
}
