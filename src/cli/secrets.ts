import { readFileSync } from 'node:fs'
import { readEnvironment, variable } from '../config/environment.ts'
import { whyUnreadable } from '../config/quoted.ts'
import type { CallCredentials } from './calls.ts'
import type { ConnectionOptions } from './options.ts'
import { UsageError } from './usage-error.ts'

const STDIN = 0
/** RFC 6750 §2.1: b64token. */
const BEARER = /^[A-Za-z0-9\-._~+/]+=*$/

/** Who the caller says it is: options first, then the environment. */
export function readCredentials(options: ConnectionOptions): CallCredentials {
  const environment = readEnvironment(process.env)
  if (options.clientSecret !== undefined && options.clientSecretFile !== undefined) {
    throw new UsageError('give either --client-secret or --client-secret-file')
  }
  const secret =
    options.clientSecretFile !== undefined
      ? readSecretFile(options.clientSecretFile)
      : (secretOf(options.clientSecret) ?? variable(environment, 'QSCOPE_CLIENT_SECRET'))
  const clientId = options.clientId ?? variable(environment, 'QSCOPE_CLIENT_ID')
  if (clientId === null && (options.clientSecret ?? options.clientSecretFile) !== undefined) {
    throw new UsageError('a client secret needs --client-id')
  }
  const bearer =
    secretOf(options.token) ?? (options.clientId === undefined ? variable(environment, 'QSCOPE_TOKEN') : null)
  // grpc-js would quote a value that no header can carry.
  if (bearer !== null && !BEARER.test(bearer)) {
    throw new UsageError(
      'the bearer token (--token or QSCOPE_TOKEN) holds characters that no token has; it is not shown',
    )
  }
  return { client: clientId === null ? null : { clientId, clientSecret: secret }, bearer }
}

/** A secret as it was given, or standard input for `-`, which keeps it out of the list of processes. */
export function secretOf(text: string | undefined): string | null {
  return text === undefined ? null : text === '-' ? readSecretFile(STDIN) : text
}

function readSecretFile(file: string | number): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new UsageError(`the file of the secret cannot be read: ${whyUnreadable(error)}`)
  }
}
