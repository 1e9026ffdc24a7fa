import { Command } from 'commander'
import {
  ExchangeAssertionResponseSchema,
  ExchangeTokenResponseSchema,
  RefreshTokenResponseSchema,
  TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import { withCalls } from '../connection/session.ts'
import { readSecret, readSecretArgument, readSecretFile } from '../input/secret.ts'
import { withExample } from '../options/example.ts'
import { type ConnectionOptions, repeated, UsageError, withConnection } from '../options/options.ts'
import { messageJson } from '../output/output.ts'
import { issuedView } from '../views/token.ts'

/** RFC 8693 §3. */
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

interface NarrowingOptions extends ConnectionOptions {
  readonly scope?: string[]
  readonly audience?: string[]
}

/** RFC 6749 §6. */
export function refreshCommand(): Command {
  const command = withConnection(new Command('refresh'))
    .description('use a refresh token, and print an access token and the next refresh token')
    .argument('<refresh-token>', 'the token, or - to read standard input')
    .addOption(repeated('--scope <scope>', 'requested scope (default: all scopes of the grant)'))
    .addOption(repeated('--audience <audience>', 'requested audience (default: all audiences of the grant)'))
    .action(async (text: string, options: NarrowingOptions) => {
      const refreshToken = await readSecretArgument(text, 'refresh token')
      await withCalls(options, async (calls, output) => {
        const { scope: scopes = [], audience: audiences = [] } = options
        const answer = await calls.call(TokenService.method.refreshToken, { refreshToken, scopes, audiences })
        output.object(issuedView, answer.token, () => messageJson(RefreshTokenResponseSchema, answer))
      })
    })
  return withExample(command, 'qscope token refresh - --client-id tv < refresh-token')
}

interface ExchangeOptions extends NarrowingOptions {
  readonly actorToken?: string
  readonly actorTokenFile?: string
}

/** RFC 8693. */
export function exchangeCommand(): Command {
  const command = withConnection(new Command('exchange'))
    .description('exchange an access token for one of the same subject, to call the next service')
    .argument('<subject-token>', 'the token, or - to read standard input')
    .option(
      '--actor-token <token>',
      'access token of the actor, or - to read standard input (default: the client itself)',
    )
    .option('--actor-token-file <path>', 'file with the access token of the actor')
    .addOption(
      repeated('--scope <scope>', 'requested scope (default: all that both the subject token and the client have)'),
    )
    .addOption(repeated('--audience <audience>', 'requested audience'))
    .action(async (text: string, options: ExchangeOptions) => {
      const subjectToken = await readSecretArgument(text, 'subject token')
      const actorToken = await actorTokenOf(text, options)
      await withCalls(options, async (calls, output) => {
        const { scope: scopes = [], audience: audiences = [] } = options
        const answer = await calls.call(TokenService.method.exchangeToken, {
          subjectToken,
          subjectTokenType: ACCESS_TOKEN_TYPE,
          ...(actorToken !== null && { actorToken, actorTokenType: ACCESS_TOKEN_TYPE }),
          scopes,
          audiences,
        })
        output.object(issuedView, answer.token, () => messageJson(ExchangeTokenResponseSchema, answer))
      })
    })
  return withExample(command, 'qscope token exchange - --audience https://billing.internal < access-token')
}

async function actorTokenOf(subject: string, { actorToken, actorTokenFile }: ExchangeOptions): Promise<string | null> {
  if (actorToken !== undefined && actorTokenFile !== undefined) {
    throw new UsageError('give --actor-token or --actor-token-file, not both')
  }
  if (subject === '-' && actorToken === '-' && process.stdin.isTTY !== true) {
    throw new UsageError('standard input contains the subject token: give the actor token with --actor-token-file')
  }
  return actorTokenFile === undefined ? await readSecret(actorToken, 'actor token') : readSecretFile(actorTokenFile)
}

/** RFC 7523 §2.1. */
export function exchangeAssertionCommand(): Command {
  const command = withConnection(new Command('exchange-assertion'))
    .description('exchange an assertion of a trusted issuer, such as a Kubernetes token, for an access token')
    .argument('<assertion>', 'the JWT, or - to read standard input')
    .addOption(repeated('--scope <scope>', 'requested scope (default: all that both the rule and the client have)'))
    .addOption(repeated('--audience <audience>', 'requested audience'))
    .action(async (text: string, options: NarrowingOptions) => {
      const assertion = await readSecretArgument(text, 'assertion')
      // The assertion identifies the client. Credentials of another client from the environment would conflict with it.
      const asNobody = options.clientId === undefined
      await withCalls(
        options,
        async (calls, output) => {
          const { scope: scopes = [], audience: audiences = [] } = options
          const answer = await calls.call(TokenService.method.exchangeAssertion, { assertion, scopes, audiences })
          output.object(issuedView, answer.token, () => messageJson(ExchangeAssertionResponseSchema, answer))
        },
        { asNobody },
      )
    })
  return withExample(command, 'qscope token exchange-assertion - < /var/run/secrets/tokens/qscope')
}
