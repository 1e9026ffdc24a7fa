import { formatAddress } from '../../config/address.ts'
import { type Environment, readEnvironment, variable } from '../../config/environment.ts'
import type { Context } from '../contexts/context.ts'
import { readSecret, readSecretFile } from '../input/secret.ts'
import { type ConnectionOptions, UsageError } from '../options/options.ts'
import { writeNotice } from '../output/terminal.ts'
import type { CallCredentials } from './calls.ts'
import type { ServerTarget } from './target.ts'

/** RFC 6750 §2.1: b64token. */
const BEARER = /^[A-Za-z0-9\-._~+/]+=*$/

/** The variables for credentials. */
const CREDENTIALS = [
  'QSCOPE_TOKEN',
  'QSCOPE_CLIENT_ID',
  'QSCOPE_CLIENT_SECRET',
  'QSCOPE_CLIENT_ASSERTION_FILE',
] as const

/** What proves the client to the server. */
export type ProofOptions = Pick<ConnectionOptions, 'clientSecret' | 'clientSecretFile' | 'clientAssertionFile'>
type CredentialOptions = ProofOptions & Pick<ConnectionOptions, 'token' | 'clientId'>
type CallingClient = NonNullable<CallCredentials['client']>

/** The credentials of a command: its options, then the environment, then the context. `target`: `null` for the database. */
export async function readCredentials(
  options: CredentialOptions,
  target: ServerTarget | null,
): Promise<CallCredentials> {
  const context = target?.context?.context ?? null
  const environment = lentEnvironment(options, target)
  const clientId = options.clientId ?? variable(environment, 'QSCOPE_CLIENT_ID')
  if (hasProof(options) && clientId === null) throw new UsageError('a client secret or assertion requires --client-id')
  const bearer =
    (await readSecret(options.token, 'bearer token')) ??
    (options.clientId === undefined ? variable(environment, 'QSCOPE_TOKEN') : null)
  // grpc-js would quote an invalid header value in its error.
  if (bearer !== null && !BEARER.test(bearer)) {
    throw new UsageError(
      'the bearer token (--token or QSCOPE_TOKEN) contains characters that are not allowed in a token; its value is not shown',
    )
  }
  if (clientId === null) return { client: clientOf(context), bearer }
  const client =
    (await clientOfOptions(clientId, options)) ??
    clientOfEnvironment(clientId, environment) ??
    (context?.clientId === clientId ? clientOf(context) : null)
  return { client: client ?? { clientId, clientSecret: null }, bearer }
}

/** Whether options, or a context, have a secret or an assertion. Throws if they have several. */
export function hasProof({
  clientSecret,
  clientSecretFile,
  clientAssertionFile,
}: { readonly [Name in keyof ProofOptions]: ProofOptions[Name] | undefined }): boolean {
  const given = [
    ['--client-secret', clientSecret],
    ['--client-secret-file', clientSecretFile],
    ['--client-assertion-file', clientAssertionFile],
  ].filter(([, value]) => value !== undefined)
  if (given.length > 1) throw new UsageError(`give only one of ${given.map(([name]) => name).join(' and ')}`)
  return given.length > 0
}

/** `null`: the options have no proof. */
async function clientOfOptions(clientId: string, options: ProofOptions): Promise<CallingClient | null> {
  const { clientSecret, clientSecretFile, clientAssertionFile } = options
  if (clientAssertionFile !== undefined) return withAssertion(clientId, clientAssertionFile)
  if (clientSecretFile !== undefined) return { clientId, clientSecret: readSecretFile(clientSecretFile) }
  const secret = await readSecret(clientSecret, `secret of ${clientId}`)
  return secret === null ? null : { clientId, clientSecret: secret }
}

/** `null`: the environment has no proof, or that of another client than the options name. */
function clientOfEnvironment(clientId: string, environment: Environment): CallingClient | null {
  const ofEnvironment = variable(environment, 'QSCOPE_CLIENT_ID')
  if (ofEnvironment !== null && ofEnvironment !== clientId) return null
  const secret = variable(environment, 'QSCOPE_CLIENT_SECRET')
  const assertionFile = variable(environment, 'QSCOPE_CLIENT_ASSERTION_FILE')
  if (secret !== null && assertionFile !== null) {
    throw new UsageError('set only one of QSCOPE_CLIENT_SECRET and QSCOPE_CLIENT_ASSERTION_FILE')
  }
  if (assertionFile !== null) return withAssertion(clientId, assertionFile)
  return secret === null ? null : { clientId, clientSecret: secret }
}

/** The file is read for each call, because the platform renews the token. */
function withAssertion(clientId: string, file: string): CallingClient {
  return { clientId, clientSecret: null, clientAssertion: () => readSecretFile(file, 'assertion') }
}

/**
 * The credentials from the environment. There are none if the environment names another server, because they belong to
 * that one.
 */
function lentEnvironment(options: CredentialOptions, target: ServerTarget | null): Environment {
  const environment = readEnvironment(process.env)
  // The database is configured by the same environment, and all its problems are reported together.
  if (target === null) return environment
  const [problem] = environment.problems.filter((each) => CREDENTIALS.some((name) => each.startsWith(`${name}_FILE:`)))
  if (problem !== undefined) throw new UsageError(problem)
  if (target.environmentIsFor === null) return environment
  const held = CREDENTIALS.filter((name) => variable(environment, name) !== null)
  const context = target.context?.context
  const isTold = options.token !== undefined || hasProof(options)
  if (held.length > 0 && !isTold && context?.clientId === undefined && context?.login === undefined) {
    const server = formatAddress(target.endpoint.address)
    writeNotice(
      `qscope: note: ${held.join(' and ')} of the environment are for ${target.environmentIsFor}, and are not sent to ${server}\n`,
    )
  }
  return readEnvironment({})
}

function clientOf(context: Context | null): CallCredentials['client'] {
  if (context?.clientId === undefined) return null
  const { clientId, clientSecret, clientSecretFile, clientAssertionFile } = context
  if (clientAssertionFile !== undefined) return withAssertion(clientId, clientAssertionFile)
  const fromFile = clientSecretFile === undefined ? null : readSecretFile(clientSecretFile)
  return { clientId, clientSecret: clientSecret ?? fromFile }
}
