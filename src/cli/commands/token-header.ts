import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import type { Calls } from '../connection/calls.ts'
import { withCalls } from '../connection/session.ts'
import {
  type ConnectionOptions,
  duration,
  omitUndefined,
  repeated,
  UsageError,
  withConnection,
} from '../options/options.ts'
import { writeAnswer } from '../output/terminal.ts'

interface HeaderOptions extends ConnectionOptions {
  readonly scope?: string[]
  readonly audience?: string[]
  readonly lifetime?: Duration
}

/** RFC 6750 §2.1, as the line of a header that grpcurl and curl take after `-H`. */
export function tokenHeaderCommand(): Command {
  return withConnection(new Command('header'), { prints: 'text' })
    .description('print a header with a token, for another program: grpcurl -H "$(qscope token header)"')
    .addOption(repeated('--scope <scope>', 'mint a token with this scope'))
    .addOption(repeated('--audience <audience>', 'mint a token for this audience'))
    .option('--lifetime <duration>', 'mint a token with this lifetime', duration)
    .action(async (options: HeaderOptions) => {
      const print = async (calls: Calls) => writeAnswer(`authorization: Bearer ${await tokenFor(calls, options)}\n`)
      await withCalls(options, print, { prefersLogin: !asksForToken(options) })
    })
}

/** Whether options request specific properties, which only a new token has. */
function asksForToken({ scope = [], audience = [], lifetime }: HeaderOptions): boolean {
  return scope.length + audience.length > 0 || lifetime !== undefined
}

/** The given token or that of the login. If there is none, or specific properties are requested, a token is minted. */
async function tokenFor(calls: Calls, options: HeaderOptions): Promise<string> {
  const { scope = [], audience = [], lifetime } = options
  if (!asksForToken(options) && calls.bearer !== null) return calls.bearer
  if (!calls.hasClient) {
    throw new UsageError(
      'there is no token: run qscope login, or give --token, or --client-id with --client-secret or --client-assertion-file',
    )
  }
  const request = { scopes: scope, audiences: audience, ...omitUndefined({ lifetime }) }
  const { token } = await calls.call(TokenService.method.mintToken, request)
  if (token === undefined) throw new Error('the answer of the server contains no token')
  return token.accessToken
}
