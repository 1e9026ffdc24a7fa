import { Command } from 'commander'
import {
  CodeChallengeMethod,
  CreateAuthorizationCodeResponseSchema,
  ExchangeAuthorizationCodeResponseSchema,
  TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import { withCalls } from '../connection/session.ts'
import { readSecret, readSecretArgument, readSecretFile } from '../input/secret.ts'
import { withExample } from '../options/example.ts'
import { type ConnectionOptions, omitUndefined, repeated, UsageError, withConnection } from '../options/options.ts'
import { type UserReferenceOptions, userReference, withUserReference } from '../options/user-reference.ts'
import { messageJson } from '../output/output.ts'
import { issuedView } from '../views/token.ts'

/** RFC 6749 §4.1, with PKCE (RFC 7636). */
export function codeCommand(): Command {
  return new Command('code')
    .description('create authorization codes as the consent page, and redeem them as the client')
    .addCommand(createCommand())
    .addCommand(redeemCommand())
}

interface CreateOptions extends ConnectionOptions, UserReferenceOptions {
  readonly redirectUri: string
  readonly scope?: string[]
  readonly audience?: string[]
  readonly codeChallenge?: string
}

function createCommand(): Command {
  const command = withUserReference(withConnection(new Command('create')))
    .description('for the consent page: record that a user consented, and print the code for the redirect')
    .argument('<client-id>', 'the client that requested the code')
    .requiredOption('--redirect-uri <uri>', 'redirect URI of the client to which the code goes')
    .addOption(repeated('--scope <scope>', 'approved scope (default: all scopes of the client)'))
    .addOption(repeated('--audience <audience>', 'audience of the tokens'))
    .option('--code-challenge <challenge>', 'code challenge of the client, by S256 (RFC 7636 §4.2)')
    .action(async (clientId: string, options: CreateOptions) => {
      const user = userReference(options)
      await withCalls(options, async (calls, output) => {
        const { redirectUri, scope: scopes = [], audience: audiences = [], codeChallenge } = options
        const answer = await calls.call(TokenService.method.createAuthorizationCode, {
          ...{ clientId, user, redirectUri, scopes, audiences },
          ...(codeChallenge !== undefined && { codeChallenge, codeChallengeMethod: CodeChallengeMethod.S256 }),
        })
        output.answer({
          document: () => messageJson(CreateAuthorizationCodeResponseSchema, answer),
          text: () =>
            output.pairs([
              ['code', answer.code],
              ['expires', answer.expireTime],
            ]),
          names: () => [answer.code],
        })
      })
    })
  return withExample(
    command,
    'qscope code create web --redirect-uri https://web.example/callback \\',
    '  --external-id alice --code-challenge "$challenge"',
  )
}

interface RedeemOptions extends ConnectionOptions {
  readonly redirectUri: string
  readonly codeVerifier?: string
  readonly codeVerifierFile?: string
  readonly audience?: string[]
}

function redeemCommand(): Command {
  const command = withConnection(new Command('redeem'))
    .description('for the client: redeem a code, once, for tokens')
    .argument('<code>', 'the code, or - to read standard input')
    .requiredOption('--redirect-uri <uri>', 'redirect URI for which the code was created')
    .option('--code-verifier <verifier>', 'code verifier of the challenge, or - to read standard input')
    .option('--code-verifier-file <path>', 'file with the code verifier')
    .addOption(repeated('--audience <audience>', 'requested audience (default: all audiences of the grant)'))
    .action(async (text: string, options: RedeemOptions) => {
      const code = await readSecretArgument(text, 'code')
      const codeVerifier = (await verifierOf(text, options)) ?? undefined
      await withCalls(options, async (calls, output) => {
        const { redirectUri, audience: audiences = [] } = options
        const request = { code, redirectUri, audiences, ...omitUndefined({ codeVerifier }) }
        const answer = await calls.call(TokenService.method.exchangeAuthorizationCode, request)
        output.object(issuedView, answer.token, () => messageJson(ExchangeAuthorizationCodeResponseSchema, answer))
      })
    })
  return withExample(
    command,
    'qscope code redeem - --redirect-uri https://web.example/callback \\',
    '  --code-verifier-file verifier < code',
  )
}

async function verifierOf(code: string, { codeVerifier, codeVerifierFile }: RedeemOptions): Promise<string | null> {
  if (codeVerifier !== undefined && codeVerifierFile !== undefined) {
    throw new UsageError('give --code-verifier or --code-verifier-file, not both')
  }
  if (code === '-' && codeVerifier === '-' && process.stdin.isTTY !== true) {
    throw new UsageError('standard input contains the code: give the verifier with --code-verifier-file')
  }
  return codeVerifierFile === undefined
    ? await readSecret(codeVerifier, 'code verifier')
    : readSecretFile(codeVerifierFile)
}
