import { readFileSync } from 'node:fs'
import { fromJsonString } from '@bufbuild/protobuf'
import type { Duration } from '@bufbuild/protobuf/wkt'
import { Command, Option } from 'commander'
import { whyUnreadable } from '../../config/quoted.ts'
import {
  type AssertionRule,
  AssertionRuleSchema,
  AssertionUse,
  AssertionUseSchema,
  CreateTrustedIssuerResponseSchema,
  DeleteTrustedIssuerResponseSchema,
  GetTrustedIssuerResponseSchema,
  ListTrustedIssuersResponseSchema,
  TestAssertionResponseSchema,
  type TrustedIssuer,
  type TrustedIssuerKind,
  TrustedIssuerKindSchema,
  TrustService,
  UpdateTrustedIssuerResponseSchema,
} from '../../gen/qscope/v1/trust_service_pb.ts'
import { messageOf } from '../../message-of.ts'
import { readWithCalls, withCalls } from '../connection/session.ts'
import { type ConfirmationOptions, confirm, withConfirmation } from '../input/prompt.ts'
import { readSecretArgument } from '../input/secret.ts'
import {
  type ConnectionOptions,
  choice,
  duration,
  omitUndefined,
  type PageOptions,
  repeated,
  repeatedChoice,
  UsageError,
  withConnection,
  withPaging,
} from '../options/options.ts'
import { messageJson } from '../output/output.ts'
import { explanationText } from '../views/explanation.ts'
import { trustedIssuerView } from '../views/trusted-issuer.ts'
import { type DryRunOption, withDryRun } from './client-registration.ts'

/** Manages the issuers whose assertions are accepted for clients. */
export function trustCommand(): Command {
  return new Command('trust')
    .description('manage trusted issuers, whose assertions authenticate clients')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(getCommand())
    .addCommand(updateCommand())
    .addCommand(deleteCommand())
    .addCommand(testCommand())
}

interface FieldOptions extends ConnectionOptions, DryRunOption {
  readonly name?: string
  readonly jwksFile?: string
  readonly jwksUri?: string
  readonly discovery?: true
  /** For the host of the keys. `--ca-file` is for the called server. */
  readonly keysCaFile?: string
  readonly audience?: string
  readonly singleUse?: boolean
  readonly maxLifetime?: Duration
  readonly rule?: string[]
}

function withFields(command: Command): Command {
  return withDryRun(command)
    .option('--name <name>', 'display name (default: the issuer)')
    .option('--jwks-file <path>', 'file with its key set or SPIFFE bundle')
    .addOption(new Option('--jwks-uri <url>', 'URL of its key set or SPIFFE bundle').conflicts('jwksFile'))
    .addOption(new Option('--discovery', 'find its key set by its metadata').conflicts(['jwksFile', 'jwksUri']))
    .option('--keys-ca-file <path>', 'file with CA certificates in PEM, for the host of its keys')
    .option(
      '--audience <audience>',
      'aud of assertions that are exchanged for tokens (default: QSCOPE_ISSUER of the server)',
    )
    .option('--single-use', 'accept each assertion once')
    .option('--no-single-use', 'accept an assertion until it expires (the default)')
    .option('--max-lifetime <duration>', 'maximum remaining lifetime of an assertion (default 1h)', duration)
    .addOption(repeated('--rule <json>', 'maps assertions to a client: {"claims": …, "clientId": …, "scopes": […]}'))
}

/** The fields of the issuer from the options. For keys, the one that is given. */
function fieldsOf(options: FieldOptions): Partial<Omit<TrustedIssuer, '$typeName' | '$unknown'>> {
  const { jwksFile, jwksUri, discovery, keysCaFile } = options
  const keys: TrustedIssuer['keys'] | undefined =
    jwksFile !== undefined
      ? { case: 'jwks', value: textOf(jwksFile) }
      : jwksUri !== undefined
        ? { case: 'jwksUri', value: jwksUri }
        : discovery
          ? { case: 'discovery', value: true }
          : undefined
  return omitUndefined({
    displayName: options.name,
    keys,
    caCertificates: keysCaFile === undefined ? undefined : textOf(keysCaFile),
    audience: options.audience,
    singleUse: options.singleUse,
    maxLifetime: options.maxLifetime,
    rules: options.rule?.map(ruleOf),
  })
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${whyUnreadable(error)}`)
  }
}

function ruleOf(json: string): AssertionRule {
  try {
    return fromJsonString(AssertionRuleSchema, json)
  } catch (error) {
    throw new UsageError(`--rule should be the JSON of a rule: ${messageOf(error)}`)
  }
}

interface CreateOptions extends FieldOptions {
  readonly kind?: TrustedIssuerKind
  readonly trustDomain?: string
}

function createCommand(): Command {
  return withFields(withConnection(new Command('create')))
    .description('trust an issuer')
    .argument('<issuer>', 'the exact iss of its assertions, or spiffe:// and the trust domain')
    .addOption(choice('--kind <kind>', 'kind of its assertions (default jwt)', TrustedIssuerKindSchema))
    .option('--trust-domain <name>', 'SPIFFE trust domain (default: that of the issuer)')
    .action(async (issuer: string, options: CreateOptions) => {
      const { kind, trustDomain, dryRun = false } = options
      const trustedIssuer = { issuer, ...omitUndefined({ kind, trustDomain }), ...fieldsOf(options) }
      await withCalls(options, async (calls, output) => {
        const request = { trustedIssuer, validateOnly: dryRun }
        const answer = await calls.call(TrustService.method.createTrustedIssuer, request)
        const document = () => messageJson(CreateTrustedIssuerResponseSchema, answer)
        output.object(trustedIssuerView, answer.trustedIssuer, document)
      })
    })
}

interface ListOptions extends ConnectionOptions, PageOptions {
  readonly owner?: string
}

function listCommand(): Command {
  return withPaging(withConnection(new Command('list')))
    .description("list issuers by name, also those of the server's file")
    .option('--owner <name>', 'only issuers of this owner')
    .action(async (options: ListOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const { pageSize, pageToken, owner } = options
        const request = omitUndefined({ pageSize, pageToken, owner })
        const answer = await calls.call(TrustService.method.listTrustedIssuers, request)
        const document = () => messageJson(ListTrustedIssuersResponseSchema, answer)
        output.list(trustedIssuerView, answer.trustedIssuers, document, answer.nextPageToken)
      })
    })
}

function getCommand(): Command {
  return withConnection(new Command('get'))
    .description('show an issuer')
    .argument('<issuer>')
    .action(async (issuer: string, options: ConnectionOptions) => {
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(TrustService.method.getTrustedIssuer, { issuer })
        const document = () => messageJson(GetTrustedIssuerResponseSchema, answer)
        output.object(trustedIssuerView, answer.trustedIssuer, document)
      })
    })
}

/** The fields with a default, which `--unset` accepts. */
const UNSETTABLE = ['display_name', 'ca_certificates', 'audience', 'max_lifetime', 'rules'] as const

interface UpdateOptions extends FieldOptions {
  readonly unset?: string[]
  readonly etag?: string
}

function updateCommand(): Command {
  return withFields(withConnection(new Command('update')))
    .description('change the given fields of an issuer; rules replace the stored rules')
    .argument('<issuer>')
    .addOption(repeatedChoice('--unset <field>', 'reset a field to its default', UNSETTABLE))
    .option('--etag <etag>', 'change the issuer only if it still has this etag')
    .action(async (issuer: string, options: UpdateOptions) => {
      const { unset = [], etag = '', dryRun = false } = options
      const fields = fieldsOf(options)
      const set = pathsOf(fields)
      const both = unset.find((path) => set.includes(path))
      if (both !== undefined) throw new UsageError(`${both} is both set and unset`)
      const paths = [...set, ...unset]
      if (paths.length === 0) throw new UsageError('give at least one option to change')
      await withCalls(options, async (calls, output) => {
        const answer = await calls.call(TrustService.method.updateTrustedIssuer, {
          trustedIssuer: { issuer, etag, ...fields },
          updateMask: { paths },
          validateOnly: dryRun,
        })
        const document = () => messageJson(UpdateTrustedIssuerResponseSchema, answer)
        output.object(trustedIssuerView, answer.trustedIssuer, document)
      })
    })
}

function pathsOf({ keys, ...fields }: ReturnType<typeof fieldsOf>): readonly string[] {
  const names = [...(keys?.case === undefined ? [] : [keys.case]), ...Object.keys(fields)]
  return names.map((name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
}

interface DeleteOptions extends ConnectionOptions, ConfirmationOptions {
  readonly etag?: string
}

function deleteCommand(): Command {
  return withConfirmation(withConnection(new Command('delete')))
    .description('stop trusting an issuer; tokens that were issued for its assertions stay valid')
    .argument('<issuer>')
    .option('--etag <etag>', 'delete the issuer only if it still has this etag')
    .action(async (issuer: string, options: DeleteOptions) => {
      await confirm(options, `This deletes the trusted issuer ${issuer}: its assertions will be refused`)
      await withCalls(options, async (calls, output) => {
        const request = { issuer, ...omitUndefined({ etag: options.etag }) }
        const answer = await calls.call(TrustService.method.deleteTrustedIssuer, request)
        output.answer({
          document: () => messageJson(DeleteTrustedIssuerResponseSchema, answer),
          text: () => `deleted ${issuer}`,
          names: () => [issuer],
        })
      })
    })
}

interface TestOptions extends ConnectionOptions {
  readonly use: AssertionUse
}

function testCommand(): Command {
  return withConnection(new Command('test'))
    .description('explain whether an assertion would be accepted, check by check; does not use up the assertion')
    .argument('<assertion>', 'the assertion, or - to read standard input')
    .addOption(
      choice('--use <use>', 'how the assertion is presented', AssertionUseSchema).default(
        AssertionUse.AUTHORIZATION_GRANT,
        'authorization_grant',
      ),
    )
    .action(async (text: string, options: TestOptions) => {
      const assertion = await readSecretArgument(text, 'assertion')
      await readWithCalls(options, async (calls, output) => {
        const answer = await calls.call(TrustService.method.testAssertion, { assertion, use: options.use })
        const { issuer, subject, clientId, scopes } = answer
        const pairs = output.pairs([
          ['issuer', issuer],
          ['subject', subject],
          ['client', clientId],
          ['scopes', scopes.join(' ')],
        ])
        output.answer({
          document: () => messageJson(TestAssertionResponseSchema, answer),
          text: () => [explanationText(answer, output), '', pairs].join('\n'),
          names: () => answer.checks.filter(({ passed }) => !passed).map(({ name }) => name),
        })
      })
    })
}
