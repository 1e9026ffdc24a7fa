import { Command } from 'commander'
import { ClientService, EnableClientResponseSchema } from '../../gen/qscope/v1/client_service_pb.ts'
import { type ConnectionOptions, withConnection } from '../options.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'
import { showClient } from './show-client.ts'

export function clientEnable(): Command {
  return withConnection(new Command('enable'))
    .description('enable a client: its unexpired tokens work again')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.enableClient, { clientId })
        output.answer(
          () => json(EnableClientResponseSchema, answer),
          () => showClient(answer.client, output),
        )
      })
    })
}
