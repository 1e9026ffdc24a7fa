import { z } from 'zod'
import { type Address, formatAddress, isLoopback, parseAddress } from './address.ts'
import { type DatabaseTarget, maskUrl, parseDatabaseUrl } from './database-url.ts'
import { formatDuration, parseDuration } from './duration.ts'
import type { Environment } from './environment.ts'
import { VARIABLES, type VariableName } from './variables.ts'

export const LOG_LEVELS = Object.freeze(['debug', 'info', 'warn', 'error', 'silent'] as const)

/** What the process was told, parsed once. */
export interface Config {
  readonly database: DatabaseTarget
  readonly grpcListen: Address
  readonly issuer: string
  readonly deviceVerificationUri: string
  /** `null`: the keys are drawn in memory and die with the process. */
  readonly keyringFile: string | null
  readonly log: { readonly level: (typeof LOG_LEVELS)[number]; readonly format: 'json' | 'pretty' }
  readonly reflection: boolean
  readonly insecure: boolean
  readonly shutdownGraceMs: number
  readonly maxMessageBytes: number
  readonly maxConcurrentStreams: number
  readonly maxConnectionAgeMs: number
  readonly keepaliveTimeMs: number
  readonly maxPendingDeviceAuthorizations: number
  /** `null`: this process purges nothing of its own accord. */
  readonly purgeIntervalMs: number | null
  /** How long what ended is kept. */
  readonly purgeRetentionMs: number
  readonly warnings: readonly string[]
  readonly settings: readonly Setting[]
}

/** One variable's effective value, fit to be shown. */
export interface Setting {
  readonly name: VariableName
  /** Secrets masked. */
  readonly value: string
  readonly source: 'environment' | 'file' | 'default'
}

/** Everything that is wrong with the environment, each with the variable's name and what it should be. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** A string that `parse` understands. */
function parsed<T>(parse: (text: string) => T | null) {
  return z.string().transform((text, context) => {
    const value = parse(text)
    if (value !== null) return value
    context.addIssue({ code: 'custom', message: 'not understood' })
    return z.NEVER
  })
}

const wholeNumber = (least: number, most: number) =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(least).max(most))

const durationBetween = (least: string, most: string) =>
  parsed(parseDuration).pipe(
    z
      .number()
      .min(parseDuration(least) ?? 0)
      .max(parseDuration(most) ?? 0),
  )

const SCHEMAS = {
  database: parsed(parseDatabaseUrl),
  address: parsed(parseAddress),
  issuer: parsed((text) => {
    const url = URL.parse(text)
    const usable =
      url !== null && /^https?:$/.test(url.protocol) && !/[?#]/.test(text) && url.username === '' && url.password === ''
    return usable
      ? { text: text.replace(/\/$/, ''), plain: url.protocol === 'http:' && !isLoopback(url.hostname) }
      : null
  }),
  url: z.url({ protocol: /^https?$/ }),
  path: z.string().min(1),
  level: z.enum(LOG_LEVELS),
  format: z.enum(['json', 'pretty']),
  onOff: z.enum(['on', 'off']).transform((value) => value === 'on'),
  flag: z.enum(['0', '1']).transform((value) => value === '1'),
  grace: durationBetween('0s', '10m'),
  messageBytes: wholeNumber(1_024, 67_108_864),
  streams: wholeNumber(1, 100_000),
  pendingDevices: wholeNumber(1, 1_000_000),
  connectionAge: durationBetween('10s', '7d'),
  keepalive: durationBetween('10s', '1d'),
  purgeInterval: z.union([z.literal('off').transform(() => null), durationBetween('1s', '1d')]),
  purgeRetention: durationBetween('1m', '365d'),
}

/**
 * Reads the environment into a frozen configuration. Throws `ConfigError` with
 * every problem at once. `terminal`: whether a person reads the log.
 */
export function parseConfig(environment: Environment, terminal = false): Config {
  const problems = [...environment.problems]
  const warnings = [...environment.warnings]
  const broken = new Set<VariableName>()
  const complain = (name: VariableName, problem: string) => {
    broken.add(name)
    problems.push(`${name}: ${problem}`)
  }
  const read = <T>(name: VariableName, schema: z.ZodType<T, string>, fallback: string): T => {
    const text = environment.values.get(name)
    if (text !== undefined) {
      const result = schema.safeParse(text)
      if (result.success) return result.data
      complain(name, `should be ${VARIABLES[name].shouldBe}, not ${JSON.stringify(maskUrl(text))}`)
    }
    return schema.parse(fallback)
  }

  const database = read('QSCOPE_DATABASE_URL', SCHEMAS.database, VARIABLES.QSCOPE_DATABASE_URL.fallback)
  const grpcListen = read('QSCOPE_GRPC_LISTEN', SCHEMAS.address, VARIABLES.QSCOPE_GRPC_LISTEN.fallback)
  const insecure = read('QSCOPE_INSECURE', SCHEMAS.flag, VARIABLES.QSCOPE_INSECURE.fallback)
  const issuer = read('QSCOPE_ISSUER', SCHEMAS.issuer, `http://${formatAddress(grpcListen)}`)
  const config = {
    database,
    grpcListen,
    issuer: issuer.text,
    deviceVerificationUri: read('QSCOPE_DEVICE_VERIFICATION_URI', SCHEMAS.url, `${issuer.text}/device`),
    keyringFile: environment.values.get('QSCOPE_KEYRING_FILE') ?? keyringBeside(database),
    log: Object.freeze({
      level: read('QSCOPE_LOG_LEVEL', SCHEMAS.level, VARIABLES.QSCOPE_LOG_LEVEL.fallback),
      format: read('QSCOPE_LOG_FORMAT', SCHEMAS.format, terminal ? 'pretty' : 'json'),
    }),
    reflection: read('QSCOPE_REFLECTION', SCHEMAS.onOff, VARIABLES.QSCOPE_REFLECTION.fallback),
    insecure,
    shutdownGraceMs: read('QSCOPE_SHUTDOWN_GRACE', SCHEMAS.grace, VARIABLES.QSCOPE_SHUTDOWN_GRACE.fallback),
    maxMessageBytes: read(
      'QSCOPE_MAX_MESSAGE_BYTES',
      SCHEMAS.messageBytes,
      VARIABLES.QSCOPE_MAX_MESSAGE_BYTES.fallback,
    ),
    maxConcurrentStreams: read(
      'QSCOPE_MAX_CONCURRENT_STREAMS',
      SCHEMAS.streams,
      VARIABLES.QSCOPE_MAX_CONCURRENT_STREAMS.fallback,
    ),
    maxConnectionAgeMs: read(
      'QSCOPE_MAX_CONNECTION_AGE',
      SCHEMAS.connectionAge,
      VARIABLES.QSCOPE_MAX_CONNECTION_AGE.fallback,
    ),
    keepaliveTimeMs: read('QSCOPE_KEEPALIVE_TIME', SCHEMAS.keepalive, VARIABLES.QSCOPE_KEEPALIVE_TIME.fallback),
    maxPendingDeviceAuthorizations: read(
      'QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS',
      SCHEMAS.pendingDevices,
      VARIABLES.QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS.fallback,
    ),
    purgeIntervalMs: read('QSCOPE_PURGE_INTERVAL', SCHEMAS.purgeInterval, VARIABLES.QSCOPE_PURGE_INTERVAL.fallback),
    purgeRetentionMs: read('QSCOPE_PURGE_RETENTION', SCHEMAS.purgeRetention, VARIABLES.QSCOPE_PURGE_RETENTION.fallback),
  }

  if (config.keyringFile === null && !database.embedded && !broken.has('QSCOPE_DATABASE_URL')) {
    complain(
      'QSCOPE_KEYRING_FILE',
      `should be ${VARIABLES.QSCOPE_KEYRING_FILE.shouldBe}; a database on a server needs it`,
    )
  }
  if (!insecure && !isLoopback(grpcListen.host) && !broken.has('QSCOPE_INSECURE')) {
    complain(
      'QSCOPE_GRPC_LISTEN',
      `should be a loopback address: ${formatAddress(grpcListen)} can be reached from outside, and calls travel in plaintext; QSCOPE_INSECURE=1 allows it`,
    )
  }
  if (issuer.plain && insecure) {
    warnings.push(`QSCOPE_ISSUER is ${issuer.text}: it should be the https URL that clients know`)
  } else if (issuer.plain && !broken.has('QSCOPE_GRPC_LISTEN')) {
    complain('QSCOPE_ISSUER', `should be ${VARIABLES.QSCOPE_ISSUER.shouldBe}, not ${JSON.stringify(issuer.text)}`)
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze({ ...config, warnings, settings: settingsOf(config, environment) })
}

/** The effective values of all variables, secrets masked. */
export function describeConfig(config: Config): readonly Setting[] {
  return config.settings
}

/** Beside an embedded database file: `./data/qscope.db` → `./data/qscope.keyring.json`. */
function keyringBeside({ file }: DatabaseTarget): string | null {
  return file === null ? null : `${file.replace(/\.db$/, '')}.keyring.json`
}

function settingsOf(config: Omit<Config, 'warnings' | 'settings'>, environment: Environment): readonly Setting[] {
  const onOff = (value: boolean) => (value ? 'on' : 'off')
  const shown = {
    QSCOPE_DATABASE_URL: maskUrl(config.database.url),
    QSCOPE_GRPC_LISTEN: formatAddress(config.grpcListen),
    QSCOPE_ISSUER: config.issuer,
    QSCOPE_DEVICE_VERIFICATION_URI: config.deviceVerificationUri,
    QSCOPE_KEYRING_FILE: config.keyringFile ?? '(drawn in memory)',
    QSCOPE_LOG_LEVEL: config.log.level,
    QSCOPE_LOG_FORMAT: config.log.format,
    QSCOPE_REFLECTION: onOff(config.reflection),
    QSCOPE_INSECURE: config.insecure ? '1' : '0',
    QSCOPE_SHUTDOWN_GRACE: formatDuration(config.shutdownGraceMs),
    QSCOPE_MAX_MESSAGE_BYTES: String(config.maxMessageBytes),
    QSCOPE_MAX_CONCURRENT_STREAMS: String(config.maxConcurrentStreams),
    QSCOPE_MAX_CONNECTION_AGE: formatDuration(config.maxConnectionAgeMs),
    QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS: String(config.maxPendingDeviceAuthorizations),
    QSCOPE_PURGE_INTERVAL: config.purgeIntervalMs === null ? 'off' : formatDuration(config.purgeIntervalMs),
    QSCOPE_PURGE_RETENTION: formatDuration(config.purgeRetentionMs),
    QSCOPE_KEEPALIVE_TIME: formatDuration(config.keepaliveTimeMs),
  } satisfies Record<VariableName, string>
  // The keys of a literal that `satisfies` just compared with the table.
  const names = Object.keys(shown) as VariableName[]
  return names.map((name) => ({
    name,
    value: shown[name],
    source: environment.fromFile.has(name) ? 'file' : environment.values.has(name) ? 'environment' : 'default',
  }))
}
