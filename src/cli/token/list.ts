import { Command } from 'commander'
import { ListTokensResponseSchema, TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import { type ConnectionOptions, given, type PageOptions, withConnection, withPaging } from '../options.ts'
import { readWithCalls } from '../session.ts'
import { json, list, more, time } from '../show.ts'
import { table } from '../table.ts'

interface Options extends ConnectionOptions, PageOptions {
  readonly ofClient?: string
  readonly ofUser?: string
  readonly active?: true
}

export function tokenList(): Command {
  return withPaging(withConnection(new Command('list')))
    .description('list tokens by their handles, newest first')
    .option('--of-client <id>', 'only those of a client')
    .option('--of-user <id>', 'only those of a user')
    .option('--active', 'only those that would be accepted now')
    .action(async (options: Options) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(TokenService.method.listTokens, {
          ...given({ clientId: options.ofClient, userId: options.ofUser }),
          ...given({ pageSize: options.pageSize, pageToken: options.pageToken, activeOnly: options.active }),
        })
        output.answer(
          () => json(ListTokensResponseSchema, answer),
          () =>
            table(
              ['TOKEN ID', 'CLIENT ID', 'STATE', 'SCOPES', 'AUDIENCES', 'ISSUED', 'EXPIRES'],
              answer.tokens.map((token) => [
                token.tokenId,
                token.clientId,
                token.active ? 'active' : token.revokeTime === undefined ? 'inactive' : 'revoked',
                list(token.scopes),
                list(token.audiences),
                time(token.issueTime),
                time(token.expireTime),
              ]),
              output.bold,
            ) + more(answer.nextPageToken),
        )
      })
    })
}
