import { Command } from 'commander'
import { ClientService, DisableClientResponseSchema } from '../../gen/qscope/v1/client_service_pb.ts'
import { type ConnectionOptions, withConnection } from '../options.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'
import { showClient } from './show-client.ts'

export function clientDisable(): Command {
  return withConnection(new Command('disable'))
    .description('disable a client: its tokens are inactive from the next call on')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.disableClient, { clientId })
        output.answer(
          () => json(DisableClientResponseSchema, answer),
          () => showClient(answer.client, output),
        )
      })
    })
}
