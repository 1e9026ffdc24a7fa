import { Command } from 'commander'
import {
  RevokeTokenResponseSchema,
  RevokeTokensResponseSchema,
  TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import type { Calls } from '../calls.ts'
import { type ConnectionOptions, withConnection } from '../options.ts'
import type { Output } from '../output.ts'
import { secretOf } from '../secrets.ts'
import { withCalls } from '../session.ts'
import { json } from '../show.ts'
import { UsageError } from '../usage-error.ts'

interface Options extends ConnectionOptions {
  readonly tokenId?: string
  readonly ofClient?: string
  readonly ofUser?: string
  readonly grantId?: string
  readonly reason: string
}

type Target =
  | { readonly case: 'tokenId'; readonly value: string }
  | { readonly case: 'clientId'; readonly value: string }
  | { readonly case: 'userId'; readonly value: string }
  | { readonly case: 'grantId'; readonly value: string }

export function tokenRevoke(): Command {
  return withConnection(new Command('revoke'))
    .description('end a token, or all of a client, a user or a grant, from the next call on')
    .argument('[token]', 'the token, or - to read standard input')
    .option('--token-id <id>', 'end the token with this handle')
    .option('--of-client <id>', 'end everything of a client')
    .option('--of-user <id>', 'end everything of a user')
    .option('--grant-id <id>', 'end a token family')
    .option('--reason <text>', 'stands in the audit log', '')
    .action(async (text: string | undefined, options: Options) => {
      const targets = targetsOf(options)
      const [target] = targets
      if (targets.length + (text === undefined ? 0 : 1) !== 1) {
        throw new UsageError('name one thing to revoke: a token, --token-id, --of-client, --of-user or --grant-id')
      }
      const token = secretOf(text) ?? ''
      await withCalls(options, async (calls, output) => {
        if (target !== undefined) await revokeTarget(calls, output, target, options.reason)
        else if (calls.provesClient) await revokeOwn(calls, output, token)
        else await revokeSeen(calls, output, token, options.reason)
      })
    })
}

function targetsOf({ tokenId, ofClient, ofUser, grantId }: Options): readonly Target[] {
  const targets: Target[] = []
  if (tokenId !== undefined) targets.push({ case: 'tokenId', value: tokenId })
  if (ofClient !== undefined) targets.push({ case: 'clientId', value: ofClient })
  if (ofUser !== undefined) targets.push({ case: 'userId', value: ofUser })
  if (grantId !== undefined) targets.push({ case: 'grantId', value: grantId })
  return targets
}

async function revokeTarget(calls: Calls, output: Output, target: Target, reason: string): Promise<void> {
  const answer = await calls.call(TokenService.method.revokeTokens, { target, reason })
  output.answer(
    () => json(RevokeTokensResponseSchema, answer),
    () => (answer.revokedCount === undefined ? 'revoked' : `revoked: ${answer.revokedCount}`),
  )
}

/** RFC 7009: a client ends its own token. */
async function revokeOwn(calls: Calls, output: Output, token: string): Promise<void> {
  const answer = await calls.call(TokenService.method.revokeToken, { token })
  output.answer(
    () => json(RevokeTokenResponseSchema, answer),
    () => 'revoked',
  )
}

/** An operator or bearer holds the value and no client: the handle is looked up first. */
async function revokeSeen(calls: Calls, output: Output, token: string, reason: string): Promise<void> {
  const { claims } = await calls.call(TokenService.method.introspectToken, { token })
  if (claims !== undefined) {
    await revokeTarget(calls, output, { case: 'tokenId', value: claims.tokenId }, reason)
    return
  }
  output.answer(
    () => ({ revokedCount: 0 }),
    () => 'not active, nothing to revoke',
  )
}
