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
const CREDENTIALS = ['QSCOPE_TOKEN', 'QSCOPE_CLIENT_ID', 'QSCOPE_CLIENT_SECRET'] as const

type CredentialOptions = Pick<
  ConnectionOptions,
  'token' | 'clientId' | 'clientSecret' | 'clientSecretFile' | 'clientAssertionFile'
>

/** The credentials of a command: its options, then the environment, then the context. `target`: `null` for the database. */
export async function readCredentials(
  options: CredentialOptions,
  target: ServerTarget | null,
): Promise<CallCredentials> {
  const context = target?.context?.context ?? null
  const environment = lentEnvironment(options, target)
  if (options.clientSecret !== undefined && options.clientSecretFile !== undefined) {
    throw new UsageError('give --client-secret or --client-secret-file, not both')
  }
  const { clientAssertionFile } = options
  if (clientAssertionFile !== undefined && (options.clientSecret ?? options.clientSecretFile) !== undefined) {
    throw new UsageError('give a client secret or --client-assertion-file, not both')
  }
  const ofEnvironment = variable(environment, 'QSCOPE_CLIENT_ID')
  const clientId = options.clientId ?? ofEnvironment
  if (clientId === null && (options.clientSecret ?? options.clientSecretFile ?? clientAssertionFile) !== undefined) {
    throw new UsageError('a client secret or assertion requires --client-id')
  }
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
  if (clientAssertionFile !== undefined) {
    const clientAssertion = () => readSecretFile(clientAssertionFile)
    return { client: { clientId, clientSecret: null, clientAssertion }, bearer }
  }
  const given =
    options.clientSecretFile === undefined
      ? await readSecret(options.clientSecret, `secret of ${clientId}`)
      : readSecretFile(options.clientSecretFile)
  // A secret from the environment or a context is not used for a client named in the options.
  const set =
    ofEnvironment === null || ofEnvironment === clientId ? variable(environment, 'QSCOPE_CLIENT_SECRET') : null
  const kept = context?.clientId === clientId ? clientOf(context) : null
  const clientSecret = given ?? set ?? kept?.clientSecret ?? null
  return { client: { clientId, clientSecret }, bearer }
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
  const isTold =
    (options.token ?? options.clientSecret ?? options.clientSecretFile ?? options.clientAssertionFile) !== undefined
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
  const { clientId, clientSecret, clientSecretFile } = context
  const fromFile = clientSecretFile === undefined ? null : readSecretFile(clientSecretFile)
  return { clientId, clientSecret: clientSecret ?? fromFile }
}
