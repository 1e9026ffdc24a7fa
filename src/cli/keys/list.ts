import { Command } from 'commander'
import {
  KeyService,
  ListSigningKeysResponseSchema,
  SigningAlgorithmSchema,
  type SigningKeyState,
  SigningKeyStateSchema,
} from '../../gen/qscope/v1/key_service_pb.ts'
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
import { json, more, time } from '../show.ts'
import { table } from '../table.ts'

interface Options extends ConnectionOptions, PageOptions {
  readonly state?: SigningKeyState
}

export function keysList(): Command {
  return withPaging(withConnection(new Command('list')))
    .description('list the keys that sign JWT access tokens, the last prepared first')
    .addOption(choice('--state <state>', 'only keys in this state', SigningKeyStateSchema))
    .action(async (options: Options) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(KeyService.method.listSigningKeys, {
          ...given({ pageSize: options.pageSize, pageToken: options.pageToken, state: options.state }),
        })
        output.answer(
          () => json(ListSigningKeysResponseSchema, answer),
          () =>
            table(
              ['KEY ID', 'ALGORITHM', 'STATE', 'PREPARED', 'ACTIVATED', 'RETIRED', 'REVOKED'],
              answer.keys.map((key) => [
                key.keyId,
                nameOf(SigningAlgorithmSchema, key.algorithm),
                nameOf(SigningKeyStateSchema, key.state),
                time(key.prepareTime),
                time(key.activateTime),
                time(key.retireTime),
                time(key.revokeTime),
              ]),
              output.bold,
            ) + more(answer.nextPageToken),
        )
      })
    })
}
