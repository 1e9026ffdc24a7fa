import { Command } from 'commander'
import { ClientService, GetClientResponseSchema } from '../../gen/qscope/v1/client_service_pb.ts'
import { type ConnectionOptions, withConnection } from '../options.ts'
import { readWithCalls } from '../session.ts'
import { json } from '../show.ts'
import { showClient } from './show-client.ts'

export function clientGet(): Command {
  return withConnection(new Command('get'))
    .description('show a client')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.getClient, { clientId })
        output.answer(
          () => json(GetClientResponseSchema, answer),
          () => showClient(answer.client, output),
        )
      })
    })
}
