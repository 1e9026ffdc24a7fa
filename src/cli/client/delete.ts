import { Command } from 'commander'
import { ClientService, DeleteClientResponseSchema } from '../../gen/qscope/v1/client_service_pb.ts'
import { type ConnectionOptions, withConnection } from '../options.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'

export function clientDelete(): Command {
  return withConnection(new Command('delete'))
    .description('delete a client, its tokens and secrets; its id stays reserved')
    .argument('<client-id>')
    .action(async (clientId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.deleteClient, { clientId })
        output.answer(
          () => json(DeleteClientResponseSchema, answer),
          () => `deleted ${clientId}`,
        )
      })
    })
}
