import type { JsonValue } from '@bufbuild/protobuf'
import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import { GrantType, GrantTypeSchema } from '../../gen/qscope/v1/client_pb.ts'
import { ClientService, ExplainMintResponseSchema } from '../../gen/qscope/v1/client_service_pb.ts'
import { ExplainTokenResponseSchema, TokenService } from '../../gen/qscope/v1/token_service_pb.ts'
import { readWithCalls } from '../connection/session.ts'
import { readSecret } from '../input/secret.ts'
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
    .description('tell why a token is accepted or refused, check by check, and what mends it')
    .argument('<token>', 'the token, or - to read standard input')
    .addOption(repeated('--scope <scope>', 'scope that it must have'))
    .option('--audience <audience>', 'audience that it must be for')
    .option('--certificate <thumbprint>', 'x5t#S256 of the certificate that its bearer showed')
    .action(async (text: string, options: WhyOptions) => {
      const token = (await readSecret(text, 'token')) ?? ''
      await readWithCalls(options, async (calls, output) => {
        const { scope: requiredScopes = [], audience, certificate: presentedCertificateSha256 } = options
        const request = { token, requiredScopes, ...omitUndefined({ audience, presentedCertificateSha256 }) }
        const answer = await calls.call(TokenService.method.explainToken, request)
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

/** Why a client is issued a token, or none. */
export function whyClientCommand(): Command {
  return withConnection(new Command('why'))
    .description('tell why a client is issued a token or none, check by check, and what mends it')
    .argument('<client-id>')
    .addOption(
      choice('--grant <grant>', 'how it would get the token', GrantTypeSchema).default(
        GrantType.CLIENT_CREDENTIALS,
        'client_credentials',
      ),
    )
    .addOption(repeated('--scope <scope>', 'scope wanted; none: all the client may have'))
    .addOption(repeated('--audience <audience>', 'audience wanted'))
    .option('--lifetime <duration>', 'lifetime wanted', duration)
    .action(async (clientId: string, options: WhyClientOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const { grant: grantType, scope: scopes = [], audience: audiences = [], lifetime } = options
        const request = { clientId, grantType, scopes, audiences, ...omitUndefined({ lifetime }) }
        const answer = await calls.call(ClientService.method.explainMint, request)
        explain(answer, output, () => messageJson(ExplainMintResponseSchema, answer))
      })
    })
}

/** Prints an explanation; its names are those of the checks that failed. */
function explain(explanation: Explanation, output: Output, document: () => JsonValue): void {
  output.answer({
    document,
    text: () => explanationText(explanation, output),
    names: () => explanation.checks.filter(({ passed }) => !passed).map(({ name }) => name),
  })
}
