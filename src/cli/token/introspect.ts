import { Command } from 'commander'
import { IntrospectTokenResponseSchema, TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import { type ConnectionOptions, withConnection } from '../options.ts'
import { secretOf } from '../secrets.ts'
import { readWithCalls } from '../session.ts'
import { json, yesNo } from '../show.ts'
import { keyValues } from '../table.ts'
import { claimPairs } from './show-claims.ts'

export function tokenIntrospect(): Command {
  return withConnection(new Command('introspect'))
    .description('tell whether a token is active, and what it says')
    .argument('<token>', 'the token, or - to read standard input')
    .action(async (text: string, options: ConnectionOptions) => {
      const token = secretOf(text) ?? ''
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(TokenService.method.introspectToken, { token })
        output.answer(
          () => json(IntrospectTokenResponseSchema, answer),
          () => keyValues([['active', yesNo(answer.active)], ...claimPairs(answer.claims)], output.bold),
        )
      })
    })
}
