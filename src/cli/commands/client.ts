import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command, Option } from 'commander'
import {
  AccessTokenFormatSchema,
  AuthenticationMethodSchema,
  type Client,
  type ClientType,
  ClientTypeSchema,
  GrantTypeSchema,
} from '../../gen/qscope/v1/client_pb.ts'
import {
  ClientService,
  DeleteClientResponseSchema,
  DisableClientResponseSchema,
  EnableClientResponseSchema,
  GetClientResponseSchema,
  ListClientsResponseSchema,
  RegisterClientResponseSchema,
  RotateClientSecretResponseSchema,
} from '../../gen/qscope/v1/client_service_pb.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import {
  type ConnectionOptions,
  choice,
  duration,
  nameOf,
  omitUndefined,
  type PageOptions,
  withConnection,
  withPaging,
} from '../options/options.ts'
import {
  durationText,
  entriesText,
  listText,
  messageJson,
  nextPageText,
  type Output,
  timeText,
  yesNo,
} from '../output/output.ts'
import {
  type DryRunOption,
  type RegistrationOptions,
  registrationRequest,
  withDryRun,
  withRegistration,
} from './client-registration.ts'
import { whyClientCommand } from './why.ts'

export function clientCommand(): Command {
  return new Command('client')
    .description('OAuth clients')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(getCommand())
    .addCommand(disableCommand())
    .addCommand(enableCommand())
    .addCommand(rotateSecretCommand())
    .addCommand(deleteCommand())
    .addCommand(whyClientCommand())
}

function createCommand(): Command {
  return withDryRun(withRegistration(withConnection(new Command('create'))))
    .description('register a client and print its secret, once')
    .action(async (options: RegistrationOptions, command: Command) => {
      const request = { ...registrationRequest(options, command), validateOnly: options.dryRun ?? false }
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.registerClient, request)
        output.answer(
          () => messageJson(RegisterClientResponseSchema, answer),
          () => describeClient(answer.client, output, answer.clientSecret),
        )
      })
    })
}

interface ListOptions extends ConnectionOptions, PageOptions {
  readonly prefix?: string
  readonly type?: ClientType
  readonly enabled?: true
  readonly disabled?: true
}

function listCommand(): Command {
  return withPaging(withConnection(new Command('list')))
    .description('list clients by their ids')
    .option('--prefix <text>', 'only ids that begin so')
    .addOption(choice('--type <type>', 'only this type', ClientTypeSchema))
    .option('--enabled', 'only enabled clients')
    .addOption(new Option('--disabled', 'only disabled clients').conflicts('enabled'))
    .action(async (options: ListOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const { pageSize, pageToken, type, prefix: clientIdPrefix } = options
        const enabled = options.disabled ? false : options.enabled
        const answer = await calls.call(
          ClientService.method.listClients,
          omitUndefined({ pageSize, pageToken, type, clientIdPrefix, enabled }),
        )
        output.answer(
          () => messageJson(ListClientsResponseSchema, answer),
          () =>
            output.table(
              ['CLIENT ID', 'NAME', 'TYPE', 'ENABLED', 'GRANTS', 'SCOPES'],
              answer.clients.map((client) => [
                client.clientId,
                client.displayName,
                nameOf(ClientTypeSchema, client.type),
                yesNo(client.enabled),
                listText(client.grantTypes.map((grant) => nameOf(GrantTypeSchema, grant))),
                listText(client.scopes),
              ]),
            ) + nextPageText(answer.nextPageToken),
        )
      })
    })
}

function getCommand(): Command {
  return withConnection(new Command('get'))
    .description('show a client')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.getClient, { clientId })
        output.answer(
          () => messageJson(GetClientResponseSchema, answer),
          () => describeClient(answer.client, output),
        )
      })
    })
}

function disableCommand(): Command {
  return withDryRun(withConnection(new Command('disable')))
    .description('disable a client: its tokens are inactive from the next call on')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions & DryRunOption) => {
      await withCalls(options, async (calls, output) => {
        const { dryRun: validateOnly = false } = options
        const answer = await calls.call(ClientService.method.disableClient, { clientId, validateOnly })
        output.answer(
          () => messageJson(DisableClientResponseSchema, answer),
          () => describeClient(answer.client, output),
        )
      })
    })
}

function enableCommand(): Command {
  return withDryRun(withConnection(new Command('enable')))
    .description('enable a client: its unexpired tokens work again')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions & DryRunOption) => {
      await withCalls(options, async (calls, output) => {
        const { dryRun: validateOnly = false } = options
        const answer = await calls.call(ClientService.method.enableClient, { clientId, validateOnly })
        output.answer(
          () => messageJson(EnableClientResponseSchema, answer),
          () => describeClient(answer.client, output),
        )
      })
    })
}

interface RotateSecretOptions extends ConnectionOptions, DryRunOption {
  readonly overlap?: Duration
}

function rotateSecretCommand(): Command {
  return withDryRun(withConnection(new Command('rotate-secret')))
    .description('draw a new secret for a client and print it, once')
    .argument('<client-id>')
    .option('--overlap <duration>', 'how long older secrets stay valid (default 0s)', duration)
    .action(async (clientId: string, options: RotateSecretOptions) => {
      await withCalls(options, async (calls, output) => {
        const { overlap, dryRun: validateOnly } = options
        const request = { clientId, ...omitUndefined({ overlap, validateOnly }) }
        const answer = await calls.call(ClientService.method.rotateClientSecret, request)
        output.answer(
          () => messageJson(RotateClientSecretResponseSchema, answer),
          () =>
            output.keyValues([
              ['client id', clientId],
              ['client secret', answer.clientSecret === '' ? null : shownOnce(answer.clientSecret)],
              ['secret id', answer.secretId],
            ]),
        )
      })
    })
}

function deleteCommand(): Command {
  return withDryRun(withConnection(new Command('delete')))
    .description('delete a client, its tokens and secrets; its id stays reserved')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions & DryRunOption) => {
      await withCalls(options, async (calls, output) => {
        const { dryRun: validateOnly = false } = options
        const answer = await calls.call(ClientService.method.deleteClient, { clientId, validateOnly })
        output.answer(
          () => messageJson(DeleteClientResponseSchema, answer),
          () => `${validateOnly ? 'would delete' : 'deleted'} ${clientId}`,
        )
      })
    })
}

/** Everything about a client, for people; with its secret, if it was just drawn. */
function describeClient(client: Client | undefined, output: Output, secret = ''): string {
  if (client === undefined) return ''
  const { config } = client
  return output.keyValues([
    ['client id', client.clientId],
    ['client secret', secret === '' ? null : shownOnce(secret)],
    ['name', client.displayName],
    ['type', nameOf(ClientTypeSchema, client.type)],
    ['authentication', nameOf(AuthenticationMethodSchema, client.authenticationMethod)],
    ['certificate', client.tlsClientSubject || null],
    ['key set', client.jwks || null],
    ['enabled', yesNo(client.enabled)],
    ['grants', listText(client.grantTypes.map((grant) => nameOf(GrantTypeSchema, grant)))],
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
  ])
}

function shownOnce(secret: string): string {
  return `${secret}  (shown once; keep it safe)`
}
