import { Command } from 'commander'
import { KeyService, RevokeSigningKeyResponseSchema } from '../../gen/qscope/v1/key_service_pb.ts'
import { type ConnectionOptions, withConnection } from '../options.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'
import { showKey } from './show-key.ts'

interface Options extends ConnectionOptions {
  readonly reason: string
}

export function keysRevoke(): Command {
  return withConnection(new Command('revoke'))
    .description('end a key and every token that it signed, from the next call on')
    .argument('<key-id>')
    .option('--reason <text>', 'stands in the audit log', '')
    .action(async (keyId: string, options: Options) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.revokeSigningKey, { keyId, reason: options.reason })
        output.answer(
          () => json(RevokeSigningKeyResponseSchema, answer),
          () => showKey(answer.key, output),
        )
      })
    })
}
