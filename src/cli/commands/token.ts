import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import type { TokenClaims } from '../../gen/qscope/v1/token_pb.ts'
import {
  IntrospectTokenResponseSchema,
  ListGrantsResponseSchema,
  ListTokensResponseSchema,
  MintTokenResponseSchema,
  RevokeTokenResponseSchema,
  RevokeTokensResponseSchema,
  TokenService,
  VerifyTokenResponseSchema,
} from '../../gen/qscope/v1/token_service_pb.ts'
import { CallFailure, type Calls } from '../connection/calls.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import { type ConfirmationOptions, confirm, withConfirmation } from '../input/prompt.ts'
import { readSecret, readSecretArgument } from '../input/secret.ts'
import {
  type ConnectionOptions,
  duration,
  omitUndefined,
  type PageOptions,
  repeated,
  UsageError,
  withConnection,
  withPaging,
} from '../options/options.ts'
import { state, yesNo } from '../output/cell.ts'
import { messageJson, type Output } from '../output/output.ts'
import { claimPairs, grantView, issuedView, tokenView } from '../views/token.ts'
import { exchangeAssertionCommand, exchangeCommand, refreshCommand } from './token-exchange.ts'
import { tokenHeaderCommand } from './token-header.ts'
import { revocationsCommand, revokeLeakedCommand } from './token-revocations.ts'

export function tokenCommand(): Command {
  return new Command('token')
    .description('mint, verify, list and revoke tokens')
    .addCommand(mintCommand())
    .addCommand(refreshCommand())
    .addCommand(exchangeCommand())
    .addCommand(exchangeAssertionCommand())
    .addCommand(tokenHeaderCommand())
    .addCommand(introspectCommand())
    .addCommand(verifyCommand())
    .addCommand(revokeCommand())
    .addCommand(revokeLeakedCommand())
    .addCommand(revocationsCommand())
    .addCommand(listCommand())
    .addCommand(grantsCommand())
}

interface MintOptions extends ConnectionOptions {
  readonly scope?: string[]
  readonly audience?: string[]
  readonly lifetime?: Duration
}

function mintCommand(): Command {
  return withConnection(new Command('mint'))
    .description('mint an access token for a client (client credentials)')
    .addOption(repeated('--scope <scope>', 'requested scope (default: all scopes of the client)'))
    .addOption(repeated('--audience <audience>', 'requested audience'))
    .option('--lifetime <duration>', "lifetime, shorter than the client's", duration)
    .action(async (options: MintOptions) => {
      await withCalls(options, async (calls, output) => {
        const { scope: scopes = [], audience: audiences = [], lifetime } = options
        const request = { scopes, audiences, ...omitUndefined({ lifetime }) }
        const answer = await calls.call(TokenService.method.mintToken, request)
        output.object(issuedView, answer.token, () => messageJson(MintTokenResponseSchema, answer))
      })
    })
}

function introspectCommand(): Command {
  return withConnection(new Command('introspect'))
    .description('show whether a token is active, and its claims')
    .argument('<token>', 'the token, or - to read standard input')
    .action(async (text: string, options: ConnectionOptions) => {
      const token = await readSecretArgument(text, 'token')
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(TokenService.method.introspectToken, { token }, { prefersPermission: true })
        output.answer({
          document: () => messageJson(IntrospectTokenResponseSchema, answer),
          text: () => output.pairs([['active', state(yesNo(answer.active))], ...claimPairs(answer.claims)]),
          names: () => namesOf(answer.claims),
        })
      })
    })
}

interface VerifyOptions extends ConnectionOptions {
  readonly scope?: string[]
  readonly audience?: string
}

function verifyCommand(): Command {
  return withConnection(new Command('verify'))
    .description('verify an access token as a resource server does; exit code 1 if it is not valid')
    .argument('<token>', 'the token, or - to read standard input')
    .addOption(repeated('--scope <scope>', 'required scope'))
    .option('--audience <audience>', 'required audience')
    .action(async (text: string, options: VerifyOptions) => {
      const token = await readSecretArgument(text, 'token')
      await readWithCalls(options, async (calls, output) => {
        const { scope: requiredScopes = [], audience } = options
        const request = { token, requiredScopes, ...omitUndefined({ audience }) }
        const answer = await calls.call(TokenService.method.verifyToken, request)
        output.answer({
          document: () => messageJson(VerifyTokenResponseSchema, answer),
          text: () => output.pairs(claimPairs(answer.claims)),
          names: () => namesOf(answer.claims),
        })
      })
    })
}

function namesOf(claims: TokenClaims | undefined): readonly string[] {
  return claims === undefined ? [] : [claims.tokenId]
}

interface RevokeOptions extends ConnectionOptions, ConfirmationOptions {
  readonly tokenId?: string
  readonly ofClient?: string
  readonly ofUser?: string
  readonly grantId?: string
  readonly reason: string
}

type RevocationTarget =
  | { readonly case: 'tokenId'; readonly value: string }
  | { readonly case: 'clientId'; readonly value: string }
  | { readonly case: 'userId'; readonly value: string }
  | { readonly case: 'grantId'; readonly value: string }

function revokeCommand(): Command {
  return withConfirmation(withConnection(new Command('revoke')))
    .description('revoke a token, or all tokens of a client, a user or a grant, from the next call on')
    .argument('[token]', 'the token, or - to read standard input')
    .option('--token-id <id>', 'revoke the token with this handle')
    .option('--of-client <id>', 'revoke all tokens of this client')
    .option('--of-user <id>', 'revoke all tokens of this user')
    .option('--grant-id <id>', 'revoke all tokens of this grant')
    .option('--reason <text>', 'reason, for the audit log', '')
    .action(async (text: string | undefined, options: RevokeOptions) => {
      const targets = targetsOf(options)
      const [target] = targets
      if (targets.length + (text === undefined ? 0 : 1) !== 1) {
        throw new UsageError('give exactly one of: a token, --token-id, --of-client, --of-user or --grant-id')
      }
      if (target !== undefined && target.case !== 'tokenId') {
        await confirm(options, `This revokes all tokens of the ${NOUNS[target.case]} ${target.value} for good`)
      }
      const token = (await readSecret(text, 'token')) ?? ''
      await withCalls(options, async (calls, output) => {
        if (target !== undefined) await revokeTarget(calls, output, target, options.reason)
        else if (calls.authenticatesClient) await revokeOwnToken(calls, output, token)
        else await revokePresentedToken(calls, output, token, options.reason)
      })
    })
}

const NOUNS = Object.freeze({ clientId: 'client', userId: 'user', grantId: 'grant' })

function targetsOf({ tokenId, ofClient, ofUser, grantId }: RevokeOptions): readonly RevocationTarget[] {
  const targets: RevocationTarget[] = []
  if (tokenId !== undefined) targets.push({ case: 'tokenId', value: tokenId })
  if (ofClient !== undefined) targets.push({ case: 'clientId', value: ofClient })
  if (ofUser !== undefined) targets.push({ case: 'userId', value: ofUser })
  if (grantId !== undefined) targets.push({ case: 'grantId', value: grantId })
  return targets
}

async function revokeTarget(calls: Calls, output: Output, target: RevocationTarget, reason: string): Promise<void> {
  const answer = await calls.call(TokenService.method.revokeTokens, { target, reason })
  output.answer({
    document: () => messageJson(RevokeTokensResponseSchema, answer),
    text: () => (answer.revokedCount === undefined ? 'revoked' : `revoked: ${answer.revokedCount}`),
    names: () => [target.value],
  })
}

const OF_ANOTHER_CLIENT =
  'the token was issued to another client and was not revoked; revoke it by its handle (--token-id), with a bearer token or client that has qscope:tokens.revoke'

/** RFC 7009 §2: a client ends its own token. The answer for an unknown token is the same. */
async function revokeOwnToken(calls: Calls, output: Output, token: string): Promise<void> {
  const answer = await calls.call(TokenService.method.revokeToken, { token }).catch((error: unknown) => {
    if (!(error instanceof CallFailure) || error.refusal.reason !== 'OAUTH_INVALID_GRANT') throw error
    throw new CallFailure({ ...error.refusal, description: OF_ANOTHER_CLIENT })
  })
  output.answer({
    document: () => messageJson(RevokeTokenResponseSchema, answer),
    text: () => 'if the token was issued to this client, it is now revoked',
    // Only the token value is known, and it is not printed.
    names: () => [],
  })
}

/** An operator or bearer has the value but no client, so the handle is looked up first. */
async function revokePresentedToken(calls: Calls, output: Output, token: string, reason: string): Promise<void> {
  const { claims } = await calls.call(TokenService.method.introspectToken, { token })
  if (claims !== undefined) {
    await revokeTarget(calls, output, { case: 'tokenId', value: claims.tokenId }, reason)
    return
  }
  output.answer({
    document: () => ({ revokedCount: 0 }),
    text: () => 'not active, nothing to revoke',
    names: () => [],
  })
}

interface ListOptions extends ConnectionOptions, PageOptions {
  readonly ofClient?: string
  readonly ofUser?: string
  readonly active?: true
}

function withFilters(command: Command, active: string): Command {
  return withPaging(withConnection(command))
    .option('--of-client <id>', 'only those of this client')
    .option('--of-user <id>', 'only those of this user')
    .option('--active', active)
}

function filtersOf({ ofClient: clientId, ofUser: userId, pageSize, pageToken, active: activeOnly }: ListOptions) {
  return omitUndefined({ clientId, userId, pageSize, pageToken, activeOnly })
}

function listCommand(): Command {
  return withFilters(new Command('list'), 'only tokens that would be accepted now')
    .description('list tokens by their handles, newest first')
    .action(async (options: ListOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(TokenService.method.listTokens, filtersOf(options))
        const document = () => messageJson(ListTokensResponseSchema, answer)
        output.list(tokenView, answer.tokens, document, answer.nextPageToken)
      })
    })
}

function grantsCommand(): Command {
  return withFilters(new Command('grants'), 'only grants whose tokens can be accepted now')
    .description('list consents of users, newest first')
    .action(async (options: ListOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(TokenService.method.listGrants, filtersOf(options))
        const document = () => messageJson(ListGrantsResponseSchema, answer)
        output.list(grantView, answer.grants, document, answer.nextPageToken)
      })
    })
}
