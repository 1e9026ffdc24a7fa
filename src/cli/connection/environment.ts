import { readFileSync } from 'node:fs'
import { type Config, parseConfig } from '../../config/config.ts'
import { readEnvironment, variable } from '../../config/environment.ts'
import { whyUnreadable } from '../../config/quoted.ts'
import { createLog, type Log } from '../../log/create-log.ts'
import { type ConnectionOptions, UsageError } from '../options/options.ts'
import type { CallCredentials } from './calls.ts'

const STDIN = 0
/** RFC 6750 §2.1: b64token. */
const BEARER = /^[A-Za-z0-9\-._~+/]+=*$/

interface ConfigOptions {
  /** Whether a database on a server needs a keyring. */
  readonly usesKeyring?: boolean
  /** Variables that are so whatever the environment says; empty: unset. */
  readonly overrides?: Readonly<Record<string, string>>
}

/** The configuration of this process; throws `ConfigError`. */
export function readConfig({ usesKeyring = true, overrides = {} }: ConfigOptions = {}): Config {
  return parseConfig(readEnvironment({ ...process.env, ...overrides }), {
    terminal: process.stderr.isTTY === true,
    usesKeyring,
  })
}

/** The process's log. A quiet one, for commands that answer a person, leaves out what is not a warning unless asked. */
export function openLog(config: Config, { quiet }: { readonly quiet: boolean }): Log {
  const chosen = config.settings.some(({ name, source }) => name === 'QSCOPE_LOG_LEVEL' && source !== 'default')
  const log = createLog({ ...config.log, level: quiet && !chosen ? 'warn' : config.log.level })
  for (const warning of config.warnings) log.warn({}, warning)
  return log
}

/** The credentials of a command: options first, then the environment. */
export function readCredentials(options: ConnectionOptions): CallCredentials {
  const environment = readEnvironment(process.env)
  if (options.clientSecret !== undefined && options.clientSecretFile !== undefined) {
    throw new UsageError('give either --client-secret or --client-secret-file')
  }
  const secret =
    options.clientSecretFile !== undefined
      ? readSecretFile(options.clientSecretFile)
      : (readSecret(options.clientSecret) ?? variable(environment, 'QSCOPE_CLIENT_SECRET'))
  const clientId = options.clientId ?? variable(environment, 'QSCOPE_CLIENT_ID')
  if (clientId === null && (options.clientSecret ?? options.clientSecretFile) !== undefined) {
    throw new UsageError('a client secret needs --client-id')
  }
  const bearer =
    readSecret(options.token) ?? (options.clientId === undefined ? variable(environment, 'QSCOPE_TOKEN') : null)
  // grpc-js would quote a value that no header can carry.
  if (bearer !== null && !BEARER.test(bearer)) {
    throw new UsageError(
      'the bearer token (--token or QSCOPE_TOKEN) holds characters that no token has; it is not shown',
    )
  }
  return { client: clientId === null ? null : { clientId, clientSecret: secret }, bearer }
}

/** A secret as it was given, or standard input for `-`, which keeps it out of the list of processes. */
export function readSecret(text: string | undefined): string | null {
  return text === undefined ? null : text === '-' ? readSecretFile(STDIN) : text
}

function readSecretFile(file: string | number): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new UsageError(`the file of the secret cannot be read: ${whyUnreadable(error)}`)
  }
}
