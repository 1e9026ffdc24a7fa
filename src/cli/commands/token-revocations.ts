import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import {
  type PollRevocationsResponse,
  PollRevocationsResponseSchema,
  type Revocation,
  RevocationStart,
  RevokeLeakedTokenResponseSchema,
  TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import { readSecretArgument } from '../input/secret.ts'
import { withExample } from '../options/example.ts'
import {
  type ConnectionOptions,
  duration,
  omitUndefined,
  UsageError,
  wholeNumber,
  withConnection,
} from '../options/options.ts'
import { state } from '../output/cell.ts'
import { messageJson, type Output } from '../output/output.ts'
import type { Column } from '../output/table.ts'

/** Callers need no credentials, and the answer does not reveal whether the token existed. */
export function revokeLeakedCommand(): Command {
  const command = withConnection(new Command('revoke-leaked'))
    .description('revoke a leaked token, and its grant if it is a refresh token')
    .argument('<token>', 'the token, or - to read standard input')
    .action(async (text: string, options: ConnectionOptions) => {
      const token = await readSecretArgument(text, 'token')
      await withCalls(
        options,
        async (calls, output) => {
          const answer = await calls.call(TokenService.method.revokeLeakedToken, { token })
          output.answer({
            document: () => messageJson(RevokeLeakedTokenResponseSchema, answer),
            text: () => 'if this server issued the token, it is now revoked',
            // Only the token value is known, and it is not printed.
            names: () => [],
          })
        },
        { asNobody: true },
      )
    })
  return withExample(command, 'grep -om1 "q[ar]t_[A-Za-z0-9]*" build.log | qscope token revoke-leaked -')
}

interface RevocationsOptions extends ConnectionOptions {
  readonly fromNow?: true
  readonly cursor?: string
  readonly wait?: Duration
  readonly pageSize?: number
}

export function revocationsCommand(): Command {
  const command = withConnection(new Command('revocations'))
    .description('list revocations by their revocation keys, as a verifier polls them')
    .option('--from-now', 'start with revocations from now on (default: with all that concern unexpired tokens)')
    .option('--cursor <cursor>', 'continue after the cursor of the previous answer')
    .option('--wait <duration>', 'how long to wait for a revocation, at most 30s; requires --cursor', duration)
    .option('--page-size <n>', 'maximum number of results (default 1000)', wholeNumber)
    .action(async (options: RevocationsOptions) => {
      const { cursor, fromNow, wait, pageSize } = options
      if (cursor !== undefined && fromNow) throw new UsageError('give --cursor or --from-now, not both')
      if (cursor === undefined && wait !== undefined) throw new UsageError('--wait requires --cursor')
      const start = fromNow ? RevocationStart.NOW : RevocationStart.HISTORY
      const from =
        cursor === undefined ? { case: 'start' as const, value: start } : { case: 'cursor' as const, value: cursor }
      await readWithCalls(options, async (calls, output) => {
        const request = { from, ...omitUndefined({ wait, pageSize }) }
        const answer = await calls.call(TokenService.method.pollRevocations, request)
        output.answer({
          document: () => messageJson(PollRevocationsResponseSchema, answer),
          text: () => revocationsText(answer, output),
          names: () => answer.revocations.map(keyText),
        })
      })
    })
  return withExample(command, 'qscope token revocations --cursor "$cursor" --wait 30s --json')
}

const COLUMNS: readonly Column<Revocation>[] = [
  { heading: 'REVOCATION KEY', value: keyText, whole: true },
  { heading: 'KEEP UNTIL', value: ({ forgetTime }) => forgetTime },
]

function revocationsText({ revocations, nextCursor, more, reset }: PollRevocationsResponse, output: Output): string {
  return [
    ...(reset ? ['the cursor cannot be continued: discard the results that you kept; the list starts again'] : []),
    output.table(COLUMNS, revocations),
    '',
    output.pairs([
      ['more at once', more ? state('yes') : 'no'],
      ['cursor', nextCursor],
    ]),
  ].join('\n')
}

/** In the form of the JWT claim `rvk`. */
function keyText({ key }: Revocation): string {
  return Buffer.from(key).toString('base64url')
}
