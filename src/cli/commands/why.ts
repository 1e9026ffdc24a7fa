import type { JsonValue } from '@bufbuild/protobuf'
import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { GrantType, GrantTypeSchema } from '../../gen/qscope/v1/client_pb.ts'
import { ClientService, ExplainMintResponseSchema } from '../../gen/qscope/v1/client_service_pb.ts'
import { ExplainTokenResponseSchema, TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import { readWithCalls } from '../connection/session.ts'
import { readSecretArgument } from '../input/secret.ts'
import {
  type ConnectionOptions,
  choice,
  duration,
  omitUndefined,
  repeated,
  withConnection,
} from '../options/options.ts'
import { messageJson, type Output } from '../output/output.ts'
import { type Explanation, explanationText } from '../views/explanation.ts'

interface WhyOptions extends ConnectionOptions {
  readonly scope?: string[]
  readonly audience?: string
  readonly certificate?: string
}

/** Why a token is accepted or refused. */
export function whyCommand(): Command {
  return withConnection(new Command('why'))
    .description('explain whether a token is accepted, check by check, and how to fix a refusal')
    .argument('<token>', 'the token, or - to read standard input')
    .addOption(repeated('--scope <scope>', 'required scope'))
    .option('--audience <audience>', 'required audience')
    .option('--certificate <thumbprint>', 'x5t#S256 thumbprint of the certificate that the caller presents')
    .action(async (text: string, options: WhyOptions) => {
      const token = await readSecretArgument(text, 'token')
      await readWithCalls(options, async (calls, output) => {
        const { scope: requiredScopes = [], audience, certificate: presentedCertificateSha256 } = options
        const request = { token, requiredScopes, ...omitUndefined({ audience, presentedCertificateSha256 }) }
        const answer = await calls.call(TokenService.method.explainToken, request, { prefersPermission: true })
        explain(answer, output, () => messageJson(ExplainTokenResponseSchema, answer))
      })
    })
}

interface WhyClientOptions extends ConnectionOptions {
  readonly grant: GrantType
  readonly scope?: string[]
  readonly audience?: string[]
  readonly lifetime?: Duration
}

/** Explains why a client is or is not issued a token. */
export function whyClientCommand(): Command {
  return withConnection(new Command('why'))
    .description('explain whether a client would get a token, check by check, and how to fix a refusal')
    .argument('<client-id>')
    .addOption(
      choice('--grant <grant>', 'grant by which it would get the token', GrantTypeSchema).default(
        GrantType.CLIENT_CREDENTIALS,
        'client_credentials',
      ),
    )
    .addOption(repeated('--scope <scope>', 'requested scope (default: all scopes of the client)'))
    .addOption(repeated('--audience <audience>', 'requested audience'))
    .option('--lifetime <duration>', 'requested lifetime', duration)
    .action(async (clientId: string, options: WhyClientOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const { grant: grantType, scope: scopes = [], audience: audiences = [], lifetime } = options
        const request = { clientId, grantType, scopes, audiences, ...omitUndefined({ lifetime }) }
        const answer = await calls.call(ClientService.method.explainMint, request)
        explain(answer, output, () => messageJson(ExplainMintResponseSchema, answer))
      })
    })
}

/** Prints an explanation. Its names are those of the failed checks. */
function explain(explanation: Explanation, output: Output, document: () => JsonValue): void {
  output.answer({
    document,
    text: () => explanationText(explanation, output),
    names: () => explanation.checks.filter(({ passed }) => !passed).map(({ name }) => name),
  })
}
