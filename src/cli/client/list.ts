import { Command, Option } from 'commander'
import { type ClientType, ClientTypeSchema, GrantTypeSchema } from '../../gen/qscope/v1/client_pb.ts'
import { ClientService, ListClientsResponseSchema } from '../../gen/qscope/v1/client_service_pb.ts'
import {
  type ConnectionOptions,
  choice,
  given,
  nameOf,
  type PageOptions,
  withConnection,
  withPaging,
} from '../options.ts'
import { readWithCalls } from '../session.ts'
import { json, list, more, yesNo } from '../show.ts'
import { table } from '../table.ts'

interface Options extends ConnectionOptions, PageOptions {
  readonly prefix?: string
  readonly type?: ClientType
  readonly enabled?: true
  readonly disabled?: true
}

export function clientList(): Command {
  return withPaging(withConnection(new Command('list')))
    .description('list clients by their ids')
    .option('--prefix <text>', 'only ids that begin so')
    .addOption(choice('--type <type>', 'only this type', ClientTypeSchema))
    .option('--enabled', 'only enabled clients')
    .addOption(new Option('--disabled', 'only disabled clients').conflicts('enabled'))
    .action(async (options: Options) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.listClients, {
          ...given({ pageSize: options.pageSize, pageToken: options.pageToken, type: options.type }),
          ...given({ clientIdPrefix: options.prefix }),
          ...given({ enabled: options.disabled ? false : options.enabled }),
        })
        output.answer(
          () => json(ListClientsResponseSchema, answer),
          () =>
            table(
              ['CLIENT ID', 'NAME', 'TYPE', 'ENABLED', 'GRANTS', 'SCOPES'],
              answer.clients.map((client) => [
                client.clientId,
                client.displayName,
                nameOf(ClientTypeSchema, client.type),
                yesNo(client.enabled),
                list(client.grantTypes.map((grant) => nameOf(GrantTypeSchema, grant))),
                list(client.scopes),
              ]),
              output.bold,
            ) + more(answer.nextPageToken),
        )
      })
    })
}
