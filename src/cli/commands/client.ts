import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command, Option } from 'commander'
import { type ClientType, ClientTypeSchema } from '../../gen/qscope/v1/client_pb.ts'
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
import { type ConfirmationOptions, confirm, withConfirmation } from '../input/prompt.ts'
import {
  type ConnectionOptions,
  choice,
  duration,
  omitUndefined,
  type PageOptions,
  withConnection,
  withPaging,
} from '../options/options.ts'
import { messageJson, shownOnce } from '../output/output.ts'
import { clientView } from '../views/client.ts'
import {
  type DryRunOption,
  type RegistrationOptions,
  registrationRequest,
  withDryRun,
  withRegistration,
} from './client-registration.ts'
import { clientSecretCommand } from './client-secret.ts'
import { clientUpdateCommand } from './client-update.ts'
import { whyClientCommand } from './why.ts'

export function clientCommand(): Command {
  return new Command('client')
    .description('manage OAuth clients')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(getCommand())
    .addCommand(clientUpdateCommand())
    .addCommand(disableCommand())
    .addCommand(enableCommand())
    .addCommand(rotateSecretCommand())
    .addCommand(clientSecretCommand())
    .addCommand(deleteCommand())
    .addCommand(whyClientCommand())
}

function createCommand(): Command {
  return withDryRun(withRegistration(withConnection(new Command('create'))))
    .description('register a client and print its secret (shown once)')
    .action(async (options: RegistrationOptions, command: Command) => {
      const request = { ...registrationRequest(options, command), validateOnly: options.dryRun ?? false }
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.registerClient, request)
        const document = () => messageJson(RegisterClientResponseSchema, answer)
        output.object(clientView, answer.client, document, [['client secret', shownOnce(answer.clientSecret)]])
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
    .description('list clients by id')
    .option('--prefix <text>', 'only ids with this prefix')
    .addOption(choice('--type <type>', 'only clients of this type', ClientTypeSchema))
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
        const document = () => messageJson(ListClientsResponseSchema, answer)
        output.list(clientView, answer.clients, document, answer.nextPageToken)
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
        output.object(clientView, answer.client, () => messageJson(GetClientResponseSchema, answer))
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
        output.object(clientView, answer.client, () => messageJson(DisableClientResponseSchema, answer))
      })
    })
}

function enableCommand(): Command {
  return withDryRun(withConnection(new Command('enable')))
    .description('enable a client: its unexpired tokens are active again')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions & DryRunOption) => {
      await withCalls(options, async (calls, output) => {
        const { dryRun: validateOnly = false } = options
        const answer = await calls.call(ClientService.method.enableClient, { clientId, validateOnly })
        output.object(clientView, answer.client, () => messageJson(EnableClientResponseSchema, answer))
      })
    })
}

interface RotateSecretOptions extends ConnectionOptions, ConfirmationOptions, DryRunOption {
  readonly overlap?: Duration
}

function rotateSecretCommand(): Command {
  return withConfirmation(withDryRun(withConnection(new Command('rotate-secret'))))
    .description('create a new secret for a client and print it (shown once)')
    .argument('<client-id>')
    .option('--overlap <duration>', 'how long older secrets stay valid (default 0s)', duration)
    .action(async (clientId: string, options: RotateSecretOptions) => {
      if (!options.dryRun && options.overlap === undefined) {
        await confirm(options, `This revokes the current secrets of ${clientId} at once (see --overlap)`)
      }
      await withCalls(options, async (calls, output) => {
        const { overlap, dryRun: validateOnly } = options
        const request = { clientId, ...omitUndefined({ overlap, validateOnly }) }
        const answer = await calls.call(ClientService.method.rotateClientSecret, request)
        output.answer({
          document: () => messageJson(RotateClientSecretResponseSchema, answer),
          text: () =>
            output.pairs([
              ['client id', clientId],
              ['client secret', shownOnce(answer.clientSecret)],
              ['secret id', answer.secretId],
            ]),
          names: () => (answer.secretId === '' ? [] : [answer.secretId]),
        })
      })
    })
}

function deleteCommand(): Command {
  return withConfirmation(withDryRun(withConnection(new Command('delete'))))
    .description('delete a client, its tokens and secrets; its id stays reserved')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions & ConfirmationOptions & DryRunOption) => {
      if (!options.dryRun)
        await confirm(options, `This deletes the client ${clientId}, its tokens and secrets for good`)
      await withCalls(options, async (calls, output) => {
        const { dryRun: validateOnly = false } = options
        const answer = await calls.call(ClientService.method.deleteClient, { clientId, validateOnly })
        output.answer({
          document: () => messageJson(DeleteClientResponseSchema, answer),
          text: () => `${validateOnly ? 'would delete' : 'deleted'} ${clientId}`,
          names: () => [clientId],
        })
      })
    })
}
