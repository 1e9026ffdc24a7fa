import type { z } from 'zod'
import type { TrustedIssuer } from '../domain/trusted-issuer.ts'
import { printable } from '../printable.ts'
import { type Address, formatAddress, isLoopback } from './address.ts'
import { type Connections, readConnections } from './connections.ts'
import type { DatabaseTarget } from './database-url.ts'
import type { Environment } from './environment.ts'
import { type HttpConfig, readHttp } from './http.ts'
import { type Limits, readLimits } from './limits.ts'
import { masked, notValue } from './quoted.ts'
import { type LOG_LEVELS, NOT_UNDERSTOOD, SCHEMAS, type SIGNING_ALGORITHMS } from './schemas.ts'
import { type Setting, settingsOf } from './settings.ts'
import { readTls, type TlsConfig } from './tls.ts'
import { readTracing, type Tracing } from './tracing.ts'
import { readTrustedIssuers } from './trusted-issuers.ts'
import { below } from './url.ts'
import { VARIABLES, type VariableName } from './variables.ts'
import { readWorkers } from './workers.ts'

/** What the process was told, parsed once. */
export interface Config {
  readonly database: DatabaseTarget
  readonly connections: Connections
  /** How many calls may wait in each lane of the database before more are refused. */
  readonly maxQueuedCalls: number
  readonly grpcListen: Address
  /** `null`: there is no port for HTTP. */
  readonly http: HttpConfig | null
  /** Processes that serve together; 1: this one alone. */
  readonly workers: number
  /** `null`: plaintext. */
  readonly tls: TlsConfig | null
  /** Whose assertions stand for clients; empty: nobody's. */
  readonly trustedIssuers: readonly TrustedIssuer[]
  /** Where they stand; `null`: nowhere. */
  readonly trustedIssuersFile: string | null
  readonly issuer: string
  readonly deviceVerificationUri: string
  /** Where docs/errors.md is published; `null`: where the HTTP port is, if there is one. */
  readonly errorDocsUrl: string | null
  /** `null`: the keys are drawn in memory and die with the process. */
  readonly keyringFile: string | null
  readonly log: { readonly level: (typeof LOG_LEVELS)[number]; readonly format: 'json' | 'pretty' }
  readonly reflection: boolean
  /** `null`: calls are not traced. */
  readonly tracing: Tracing | null
  readonly insecure: boolean
  readonly shutdownGraceMs: number
  readonly maxMessageBytes: number
  readonly maxConcurrentStreams: number
  readonly maxConnectionAgeMs: number
  readonly keepaliveTimeMs: number
  readonly limits: Limits
  /** Of JWT access tokens. */
  readonly signingAlgorithm: (typeof SIGNING_ALGORITHMS)[number]
  /** How long a signing key signs; `null`: until it is replaced by hand. */
  readonly signingKeyRotationMs: number | null
  /** `null`: this process purges nothing of its own accord. */
  readonly purgeIntervalMs: number | null
  /** How long what ended is kept. */
  readonly purgeRetentionMs: number
  readonly warnings: readonly string[]
  readonly settings: readonly Setting[]
}

/** Goes on in place of an issuer that is missing, so that every other problem is told as well. */
const NO_ISSUER = Object.freeze({ text: 'http://localhost', plain: false })

/** Everything that is wrong with the environment, each with the variable's name and what it should be. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/**
 * Reads the environment into a frozen configuration. Throws `ConfigError` with
 * every problem at once. `terminal`: whether a person reads the log; `usesKeyring`:
 * whether a database on a server must have one.
 */
export function parseConfig(environment: Environment, terminal = false, usesKeyring = true): Config {
  const problems = [...environment.problems]
  const warnings = [...environment.warnings]
  const broken = new Set<VariableName>()
  const complain = (name: VariableName, problem: string) => {
    broken.add(name)
    problems.push(`${name}: ${problem}`)
  }
  /** The value as it was written; `undefined` where it was not, or is of no use, which is told. */
  const given = <T>(name: VariableName, schema: z.ZodType<T, string>): T | undefined => {
    const text = environment.values.get(name)
    if (text === undefined) return undefined
    const result = schema.safeParse(text)
    if (result.success) return result.data
    const { shouldBe } = VARIABLES[name]
    const [reason = NOT_UNDERSTOOD] = result.error.issues.flatMap(({ code, message }) =>
      code === 'custom' ? message : [],
    )
    const why = reason === NOT_UNDERSTOOD ? '' : `: it ${reason}`
    complain(name, `should be ${shouldBe}${notValue(name, text)}${why}`)
    return undefined
  }
  const read = <T>(name: VariableName, schema: z.ZodType<T, string>, fallback: string): T => {
    const value = given(name, schema)
    // What is off may be `null`.
    return value === undefined ? schema.parse(fallback) : value
  }

  const database = read('QSCOPE_DATABASE_URL', SCHEMAS.database, VARIABLES.QSCOPE_DATABASE_URL.fallback)
  const grpcListen = read('QSCOPE_GRPC_LISTEN', SCHEMAS.address, VARIABLES.QSCOPE_GRPC_LISTEN.fallback)
  const insecure = read('QSCOPE_INSECURE', SCHEMAS.flag, VARIABLES.QSCOPE_INSECURE.fallback)
  const tls = readTls(environment, read, complain)
  const scheme = tls === null ? 'http' : 'https'
  const atListener = SCHEMAS.issuer.safeParse(`${scheme}://${formatAddress(grpcListen)}`)
  const issuer = given('QSCOPE_ISSUER', SCHEMAS.issuer) ?? atListener.data ?? NO_ISSUER
  if (issuer === NO_ISSUER && !environment.values.has('QSCOPE_ISSUER')) {
    const { shouldBe } = VARIABLES.QSCOPE_ISSUER
    complain(
      'QSCOPE_ISSUER',
      `should be set to ${shouldBe}: no URL can be made of QSCOPE_GRPC_LISTEN, ${JSON.stringify(masked(formatAddress(grpcListen)))}`,
    )
  }
  const issuerSet = environment.values.has('QSCOPE_ISSUER') && !broken.has('QSCOPE_ISSUER')
  const http = readHttp(environment, read, { grpcListen, issuer: issuerSet ? issuer.text : null }, complain)
  const trustedFile = environment.values.get('QSCOPE_TRUSTED_ISSUERS_FILE')
  const trusted = trustedFile === undefined ? null : readTrustedIssuers(trustedFile, issuer.text)
  for (const problem of trusted?.problems ?? []) complain('QSCOPE_TRUSTED_ISSUERS_FILE', `${trustedFile}: ${problem}`)
  const config = {
    database,
    connections: readConnections(environment, database, read, {
      complain,
      warn: (warning) => warnings.push(warning),
    }),
    maxQueuedCalls: read(
      'QSCOPE_DATABASE_MAX_QUEUED_CALLS',
      SCHEMAS.queuedCalls,
      VARIABLES.QSCOPE_DATABASE_MAX_QUEUED_CALLS.fallback,
    ),
    grpcListen,
    http,
    workers: readWorkers(database, read, complain),
    tls,
    trustedIssuers: trusted?.issuers ?? [],
    trustedIssuersFile: trustedFile ?? null,
    issuer: issuer.text,
    deviceVerificationUri: given('QSCOPE_DEVICE_VERIFICATION_URI', SCHEMAS.url) ?? below(issuer.text, 'device'),
    errorDocsUrl: given('QSCOPE_ERROR_DOCS_URL', SCHEMAS.url) ?? null,
    keyringFile: environment.values.get('QSCOPE_KEYRING_FILE') ?? keyringBeside(database),
    log: Object.freeze({
      level: read('QSCOPE_LOG_LEVEL', SCHEMAS.level, VARIABLES.QSCOPE_LOG_LEVEL.fallback),
      format: read('QSCOPE_LOG_FORMAT', SCHEMAS.format, terminal ? 'pretty' : 'json'),
    }),
    reflection:
      read('QSCOPE_REFLECTION', SCHEMAS.onOffAuto, VARIABLES.QSCOPE_REFLECTION.fallback) ?? isLoopback(grpcListen.host),
    tracing: readTracing(environment, read),
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
    limits: readLimits(read),
    signingAlgorithm: read(
      'QSCOPE_SIGNING_ALGORITHM',
      SCHEMAS.signingAlgorithm,
      VARIABLES.QSCOPE_SIGNING_ALGORITHM.fallback,
    ),
    signingKeyRotationMs: read(
      'QSCOPE_SIGNING_KEY_ROTATION',
      SCHEMAS.signingKeyRotation,
      VARIABLES.QSCOPE_SIGNING_KEY_ROTATION.fallback,
    ),
    purgeIntervalMs: read('QSCOPE_PURGE_INTERVAL', SCHEMAS.purgeInterval, VARIABLES.QSCOPE_PURGE_INTERVAL.fallback),
    purgeRetentionMs: read('QSCOPE_PURGE_RETENTION', SCHEMAS.purgeRetention, VARIABLES.QSCOPE_PURGE_RETENTION.fallback),
  }

  if (usesKeyring && config.keyringFile === null && !database.embedded && !broken.has('QSCOPE_DATABASE_URL')) {
    complain(
      'QSCOPE_KEYRING_FILE',
      `should be ${VARIABLES.QSCOPE_KEYRING_FILE.shouldBe}; a database on a server needs it`,
    )
  }
  const exposed = (name: VariableName, address: Address) => {
    if (tls !== null || insecure || isLoopback(address.host) || broken.has('QSCOPE_INSECURE')) return
    complain(
      name,
      `should be a loopback address: ${formatAddress(address)} can be reached from outside, and calls travel in plaintext; QSCOPE_TLS_CERT_FILE and QSCOPE_TLS_KEY_FILE turn TLS on, QSCOPE_INSECURE=1 allows it`,
    )
  }
  exposed('QSCOPE_GRPC_LISTEN', grpcListen)
  if (http !== null) exposed('QSCOPE_HTTP_LISTEN', http.listen)
  if (issuer.plain && insecure) {
    warnings.push(`QSCOPE_ISSUER is ${issuer.text}: it should be the https URL that clients know`)
  } else if (issuer.plain && !broken.has('QSCOPE_GRPC_LISTEN')) {
    complain('QSCOPE_ISSUER', `should be ${VARIABLES.QSCOPE_ISSUER.shouldBe}${notValue('QSCOPE_ISSUER', issuer.text)}`)
  }
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => presentable(problem, environment)))
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

const LONGEST_PROBLEM = 900

/**
 * One line that a terminal can show. Paths and what the system says of them may have line ends in them, and a
 * password, where somebody mistook the variable.
 */
function presentable(problem: string, { values }: Environment): string {
  let text = problem
  for (const value of values.values()) {
    const shown = masked(value)
    if (shown !== value) text = text.replaceAll(value, () => shown)
  }
  const line = printable(text)
  return line.length > LONGEST_PROBLEM ? `${line.slice(0, LONGEST_PROBLEM)}…` : line
}
