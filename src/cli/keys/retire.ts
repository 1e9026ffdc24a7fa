import { Command } from 'commander'
import { KeyService, RetireSigningKeyResponseSchema } from '../../gen/qscope/v1/key_service_pb.ts'
import { type ConnectionOptions, withConnection } from '../options.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'
import { showKey } from './show-key.ts'

export function keysRetire(): Command {
  return withConnection(new Command('retire'))
    .description('end the signing of a key; what it signed stays good')
    .argument('<key-id>')
    .action(async (keyId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.retireSigningKey, { keyId })
        output.answer(
          () => json(RetireSigningKeyResponseSchema, answer),
          () => showKey(answer.key, output),
        )
      })
    })
}
