import { Command } from 'commander'
import { ActivateSigningKeyResponseSchema, KeyService } from '../../gen/qscope/v1/key_service_pb.ts'
import { type ConnectionOptions, withConnection } from '../options.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'
import { showKey } from './show-key.ts'

export function keysActivate(): Command {
  return withConnection(new Command('activate'))
    .description('let a prepared key sign, and retire the one that did')
    .argument('<key-id>')
    .action(async (keyId: string, options: ConnectionOptions) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.activateSigningKey, { keyId })
        output.answer(
          () => json(ActivateSigningKeyResponseSchema, answer),
          () => showKey(answer.key, output),
        )
      })
    })
}
