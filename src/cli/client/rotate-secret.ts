import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { ClientService, RotateClientSecretResponseSchema } from '../../gen/qscope/v1/client_service_pb.ts'
import { type ConnectionOptions, duration, given, withConnection } from '../options.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'
import { keyValues } from '../table.ts'

interface Options extends ConnectionOptions {
  readonly overlap?: Duration
}

export function clientRotateSecret(): Command {
  return withConnection(new Command('rotate-secret'))
    .description('draw a new secret for a client and print it, once')
    .argument('<client-id>')
    .option('--overlap <duration>', 'how long older secrets stay valid (default 0s)', duration)
    .action(async (clientId: string, options: Options) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(ClientService.method.rotateClientSecret, {
          clientId,
          ...given({ overlap: options.overlap }),
        })
        output.answer(
          () => json(RotateClientSecretResponseSchema, answer),
          () =>
            keyValues(
              [
                ['client id', clientId],
                ['client secret', `${answer.clientSecret}  (shown once; keep it safe)`],
                ['secret id', answer.secretId],
              ],
              output.bold,
            ),
        )
      })
    })
}
