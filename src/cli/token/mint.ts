import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { MintTokenResponseSchema, TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import { type ConnectionOptions, duration, given, repeated, withConnection } from '../options.ts'
import { withCalls } from '../session.ts'
import { json, list, span, time } from '../show.ts'
import { keyValues } from '../table.ts'

interface Options extends ConnectionOptions {
  readonly scope?: string[]
  readonly audience?: string[]
  readonly lifetime?: Duration
}

export function tokenMint(): Command {
  return withConnection(new Command('mint'))
    .description('mint an access token for a client (client credentials)')
    .addOption(repeated('--scope <scope>', 'scope wanted; none: all the client may have'))
    .addOption(repeated('--audience <audience>', 'audience wanted'))
    .option('--lifetime <duration>', 'shorter than the client has it', duration)
    .action(async (options: Options) => {
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(TokenService.method.mintToken, {
          scopes: options.scope ?? [],
          audiences: options.audience ?? [],
          ...given({ lifetime: options.lifetime }),
        })
        const { token } = answer
        output.answer(
          () => json(MintTokenResponseSchema, answer),
          () =>
            keyValues(
              [
                ['access token', token?.accessToken ?? null],
                ['token id', token?.tokenId ?? null],
                ['scopes', list(token?.scopes ?? [])],
                ['audiences', list(token?.audiences ?? [])],
                ['expires in', span(token?.expiresIn)],
                ['expires', time(token?.expireTime)],
              ],
              output.bold,
            ),
        )
      })
    })
}
