import { Command } from 'commander'
import { TokenService, VerifyTokenResponseSchema } from '../../gen/qscope/v1/token_service_pb.ts'
import { type ConnectionOptions, given, repeated, withConnection } from '../options.ts'
import { secretOf } from '../secrets.ts'
import { readWithCalls } from '../session.ts'
import { json } from '../show.ts'
import { keyValues } from '../table.ts'
import { claimPairs } from './show-claims.ts'

interface Options extends ConnectionOptions {
  readonly scope?: string[]
  readonly audience?: string
}

export function tokenVerify(): Command {
  return withConnection(new Command('verify'))
    .description('check an access token the way a resource server does; exit code 1 if it is not good')
    .argument('<token>', 'the token, or - to read standard input')
    .addOption(repeated('--scope <scope>', 'scope that it must have'))
    .option('--audience <audience>', 'audience that it must be for')
    .action(async (text: string, options: Options) => {
      const token = secretOf(text) ?? ''
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(TokenService.method.verifyToken, {
          token,
          requiredScopes: options.scope ?? [],
          ...given({ audience: options.audience }),
        })
        output.answer(
          () => json(VerifyTokenResponseSchema, answer),
          () => keyValues(claimPairs(answer.claims), output.bold),
        )
      })
    })
}
