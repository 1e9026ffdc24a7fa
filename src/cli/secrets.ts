import { readFileSync } from 'node:fs'
import { readEnvironment, variable } from '../config/environment.ts'
import { messageOf } from '../message-of.ts'
import type { CallCredentials } from './calls.ts'
import type { ConnectionOptions } from './options.ts'
import { UsageError } from './usage-error.ts'

const STDIN = 0

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
  return {
    client: clientId === null ? null : { clientId, clientSecret: secret },
    bearer: secretOf(options.token) ?? (options.clientId === undefined ? variable(environment, 'QSCOPE_TOKEN') : null),
  }
}

/** A secret as it was given, or standard input for `-`, which keeps it out of the list of processes. */
export function secretOf(text: string | undefined): string | null {
  return text === undefined ? null : text === '-' ? readSecretFile(STDIN) : text
}

function readSecretFile(file: string | number): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new UsageError(`the secret cannot be read: ${messageOf(error)}`)
  }
}
