import { Command } from 'commander'
import {
  KeyService,
  PrepareSigningKeyResponseSchema,
  type SigningAlgorithm,
  SigningAlgorithmSchema,
} from '../../gen/qscope/v1/key_service_pb.ts'
import { type ConnectionOptions, choice, given, withConnection } from '../options.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'
import { showKey } from './show-key.ts'

interface Options extends ConnectionOptions {
  readonly algorithm?: SigningAlgorithm
}

export function keysPrepare(): Command {
  return withConnection(new Command('prepare'))
    .description('draw a signing key and put it into the key set; it signs nothing yet')
    .addOption(choice('--algorithm <name>', "the server's unless told", SigningAlgorithmSchema))
    .action(async (options: Options) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.prepareSigningKey, given({ algorithm: options.algorithm }))
        output.answer(
          () => json(PrepareSigningKeyResponseSchema, answer),
          () => showKey(answer.key, output),
        )
      })
    })
}
