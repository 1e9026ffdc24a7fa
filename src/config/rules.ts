import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { LibsqlUrl } from '../domain/libsql-url.ts'
import type { TrustedIssuer } from '../domain/trusted-issuer.ts'
import { messageOf } from '../message-of.ts'
import { below } from '../url.ts'
import { type Address, formatAddress, isLoopback } from './address.ts'
import { type DatabaseTarget, describeParameters } from './database-url.ts'
import { formatDuration } from './duration.ts'
import { namesOf } from './peer-names.ts'
import { extAuthzPeersOf, type ProvenPeers, type Sockets, socketsOf, trustedProxiesOf } from './peer-rules.ts'
import type { Problems } from './problems.ts'
import { masked, notValue } from './quoted.ts'
import { readTrustedIssuers } from './trusted-issuers.ts'
import { SERVER_VARIABLES, VARIABLES, type Values, type VariableName } from './variables.ts'

/** The same values, with these properties present. */
type Given<Group, Property extends keyof Group> = Omit<Group, Property> & {
  readonly [Each in Property]: NonNullable<Group[Each]>
}

export type HttpConfig = Given<Values['http'], 'listen' | 'allowedOrigins'>
export type ExtAuthzConfig = Given<Omit<Values['extAuthz'], 'on'>, 'peers'>
export type TlsConfig = Given<Values['tls'], 'certFile' | 'keyFile' | 'clientAuth'>

export interface Connections extends Omit<Values['connections'], 'tls' | 'caFile'> {
  /** `null`: plaintext. `ca`: certificates in PEM. `ca: null`: the CAs that Node.js trusts. */
  readonly tls: { readonly ca: string | null } | null
}

/** Values that are derived from several variables and replace their own values. */
export interface Derived {
  readonly connections: Connections
  /** `null`: no HTTP port. */
  readonly http: HttpConfig | null
  readonly sockets: Sockets
  /** `null`: Envoy's external authorization is not served. */
  readonly extAuthz: ExtAuthzConfig | null
  /** The number of serving processes. 1: only this one. */
  readonly workers: number
  /** `null`: plaintext. */
  readonly tls: TlsConfig | null
  /** The proxies that may forward their callers' certificates. Empty: none. */
  readonly trustedProxies: ProvenPeers
  /** The issuers whose assertions authenticate clients. Empty: none. */
  readonly trustedIssuers: readonly TrustedIssuer[]
  readonly issuer: string
  readonly deviceVerificationUri: string
  /** `null`: the keys are generated in memory and lost at exit. */
  readonly keyringFile: string | null
  readonly log: Given<Values['log'], 'format'>
  readonly reflection: boolean
  /** `null`: calls are not traced. */
  readonly tracing: Given<Values['tracing'], 'endpoint'> | null
}

/** Inputs of the rules other than variables. */
export interface ParseOptions {
  /** Whether the log goes to a terminal. */
  readonly terminal: boolean
  /** Whether a database on a server requires a keyring. */
  readonly usesKeyring: boolean
}

/** Applies the rules that concern several variables, and reports violations. */
export function derive(values: Values, problems: Problems, { terminal, usesKeyring }: ParseOptions): Derived {
  const { database, grpcListen, log, reflection, tracing } = values
  const tls = tlsOf(values, problems)
  const issuer = issuerOf(values, tls !== null, problems)
  const http = httpOf(values, problems)
  const trustedIssuers = trustedIssuersOf(values, issuer, problems)
  const hasClientCa = tls !== null && tls.clientCaFile !== null
  const peers = extAuthzPeersOf(values, hasClientCa, problems)
  const derived: Derived = {
    connections: connectionsOf(values, problems),
    http,
    sockets: socketsOf(values, problems),
    extAuthz: peers === null ? null : Object.freeze({ peers }),
    workers: workersOf(values, problems),
    tls,
    trustedProxies: trustedProxiesOf(values, hasClientCa, problems),
    trustedIssuers,
    issuer,
    deviceVerificationUri: values.deviceVerificationUri ?? below(issuer, 'device'),
    keyringFile: values.keyringFile ?? keyringBeside(database),
    log: Object.freeze({ ...log, format: log.format ?? (terminal ? 'pretty' : 'json') }),
    reflection: reflection === 'auto' ? isLoopback(grpcListen.host) : reflection === 'on',
    tracing: tracing.endpoint === null ? null : Object.freeze({ ...tracing, endpoint: tracing.endpoint }),
  }
  if (usesKeyring && derived.keyringFile === null && !database.embedded && !problems.isBroken('QSCOPE_DATABASE_URL'))
    problems.add(
      'QSCOPE_KEYRING_FILE',
      `should be ${VARIABLES.QSCOPE_KEYRING_FILE.shouldBe}; a database on a server needs it`,
    )
  checkPurgeRetention(values, problems)
  if (tls === null && !values.insecure) {
    requireLoopback('QSCOPE_GRPC_LISTEN', grpcListen, problems)
    if (http !== null) requireLoopback('QSCOPE_HTTP_LISTEN', http.listen, problems)
  }
  if (tls === null && http !== null) checkConsole(http, problems)
  checkIssuerScheme(issuer, values.insecure, problems)
  return derived
}

/** The shown values of variables whose effective value differs from their own. */
export function effectiveValues(values: Values, derived: Derived): Partial<Record<VariableName, string>> {
  const { connections, tls, http, tracing } = SERVER_VARIABLES
  return {
    QSCOPE_DATABASE_TLS: connections.tls.type.format(derived.connections.tls !== null),
    QSCOPE_HTTP_URL: derived.http === null ? '(off)' : (derived.http.url ?? '(the address)'),
    QSCOPE_HTTP_ALLOWED_ORIGINS: http.allowedOrigins.type.format(derived.http?.allowedOrigins ?? []) || '(none)',
    QSCOPE_EXT_AUTHZ_PEERS:
      derived.extAuthz === null ? '(nobody)' : SERVER_VARIABLES.extAuthz.peers.type.format(derived.extAuthz.peers),
    QSCOPE_WORKERS: String(derived.workers),
    QSCOPE_TLS_CERT_FILE: derived.tls?.certFile ?? '(plaintext)',
    QSCOPE_TLS_KEY_FILE: derived.tls?.keyFile ?? '(plaintext)',
    QSCOPE_TLS_CLIENT_AUTH: derived.tls?.clientAuth ?? 'none',
    QSCOPE_TLS_RELOAD_INTERVAL:
      derived.tls === null ? '(plaintext)' : tls.reloadIntervalMs.type.format(derived.tls.reloadIntervalMs),
    QSCOPE_TRUSTED_PROXIES: namesOf(derived.trustedProxies).join(',') || '(nobody)',
    QSCOPE_ISSUER: derived.issuer,
    QSCOPE_DEVICE_VERIFICATION_URI: derived.deviceVerificationUri,
    QSCOPE_ERROR_DOCS_URL: values.errorDocsUrl ?? (derived.http === null ? '(none)' : '(the HTTP port)'),
    QSCOPE_KEYRING_FILE: derived.keyringFile ?? '(in memory)',
    QSCOPE_LOG_FORMAT: derived.log.format,
    QSCOPE_REFLECTION: derived.reflection ? 'on' : 'off',
    QSCOPE_OTLP_ENDPOINT: derived.tracing?.endpoint ?? '(no traces)',
    QSCOPE_TRACE_RATIO: derived.tracing === null ? '(no traces)' : tracing.ratio.type.format(derived.tracing.ratio),
  }
}

/** The clocks of two instances differ by up to twice the allowed difference from the database's clock. */
function checkPurgeRetention({ purgeRetentionMs, maxClockSkewMs, database }: Values, problems: Problems): void {
  const shortest = 2 * maxClockSkewMs
  if (database.embedded || purgeRetentionMs >= shortest) return
  problems.add(
    'QSCOPE_PURGE_RETENTION',
    `should be at least ${formatDuration(shortest)}, twice QSCOPE_MAX_CLOCK_SKEW: another instance may still accept rows that expired here`,
  )
}

/** The certificates are read here, so that an unusable file is reported with all other problems. */
function connectionsOf({ connections, database, insecure }: Values, problems: Problems): Connections {
  const { tls, caFile, ...others } = connections
  if (database.doubt !== null) problems.add('QSCOPE_DATABASE_URL', database.doubt)
  if (database.parameters.length > 0) {
    const instead = database.embedded ? '' : '; use the QSCOPE_DATABASE_… variables instead'
    const names = describeParameters(database)
    problems.add('QSCOPE_DATABASE_URL', `should have no parameters, but has ${names}${instead}`)
  }
  checkAuthToken(connections, database, problems)
  const { libsql } = database
  if (libsql !== null) checkLibsqlScheme(libsql, tls, insecure, problems)
  const encrypted = libsql === null ? (tls ?? caFile !== null) : !libsql.plaintext
  if (caFile !== null && !encrypted) {
    const off = libsql === null ? 'QSCOPE_DATABASE_TLS is off' : 'QSCOPE_DATABASE_URL is an http URL'
    problems.warn(`QSCOPE_DATABASE_CA_FILE is not used, because ${off}`)
  }
  const ca = caFile === null ? null : certificatesIn(caFile, problems)
  return Object.freeze({ ...others, tls: encrypted ? Object.freeze({ ca }) : null })
}

/** A token for a database that does not use it is probably a mistake. */
function checkAuthToken({ authToken }: Values['connections'], { libsql }: DatabaseTarget, problems: Problems): void {
  if (authToken === null || problems.isBroken('QSCOPE_DATABASE_URL')) return
  if (libsql === null) {
    problems.add('QSCOPE_DATABASE_AUTH_TOKEN', 'should not be set: only a libSQL server (libsql://host) takes a token')
  }
}

/** The URL determines encryption. Beyond loopback, plaintext would expose the token and hashes. */
function checkLibsqlScheme(
  { plaintext, host }: LibsqlUrl,
  tls: boolean | null,
  insecure: boolean,
  problems: Problems,
): void {
  if (tls !== null && tls === plaintext) {
    const scheme = plaintext ? 'http' : 'https'
    problems.add('QSCOPE_DATABASE_TLS', `should not be set: the URL of the database says ${scheme}`)
  }
  if (!plaintext || isLoopback(host) || problems.isBroken('QSCOPE_INSECURE')) return
  if (insecure) {
    problems.warn(`QSCOPE_DATABASE_URL is an http URL: statements and rows are sent to and from ${host} in plaintext`)
  } else {
    problems.add(
      'QSCOPE_DATABASE_URL',
      `should be an https URL: ${host} is another machine, and the token would be sent in plaintext; QSCOPE_INSECURE=1 allows it`,
    )
  }
}

function certificatesIn(path: string, problems: Problems): string | null {
  try {
    const pem = readFileSync(path, 'utf8')
    new X509Certificate(pem)
    return pem
  } catch (error) {
    const { shouldBe } = VARIABLES.QSCOPE_DATABASE_CA_FILE
    problems.add('QSCOPE_DATABASE_CA_FILE', `should be ${shouldBe}, not ${JSON.stringify(path)}: ${messageOf(error)}`)
    return null
  }
}

/** An in-memory database cannot be shared: `auto` means one process. */
function workersOf({ workers, database: { embedded, file } }: Values, problems: Problems): number {
  const inMemory = embedded && file === null
  if (workers === 'auto') return inMemory ? 1 : Math.min(64, availableParallelism())
  if (inMemory && workers > 1) {
    problems.add('QSCOPE_WORKERS', 'should be 1: a database in memory can be used by one process only')
  }
  return workers
}

function tlsOf({ tls }: Values, problems: Problems): TlsConfig | null {
  const { certFile, keyFile, clientCaFile } = tls
  if (certFile === null && keyFile === null) {
    for (const name of ['QSCOPE_TLS_CLIENT_CA_FILE', 'QSCOPE_TLS_CLIENT_AUTH'] as const) {
      if (problems.isSet(name)) {
        problems.add(name, 'requires QSCOPE_TLS_CERT_FILE and QSCOPE_TLS_KEY_FILE')
      }
    }
    return null
  }
  if (certFile === null) problems.add('QSCOPE_TLS_CERT_FILE', 'should be set, because QSCOPE_TLS_KEY_FILE is set')
  if (keyFile === null) problems.add('QSCOPE_TLS_KEY_FILE', 'should be set, because QSCOPE_TLS_CERT_FILE is set')
  const clientAuth = tls.clientAuth ?? (clientCaFile === null ? 'none' : 'request')
  if (clientAuth === 'require' && clientCaFile === null) {
    problems.add(
      'QSCOPE_TLS_CLIENT_CA_FILE',
      'should be set, because QSCOPE_TLS_CLIENT_AUTH=require needs a CA to verify client certificates',
    )
  }
  if (clientAuth === 'none' && clientCaFile !== null) {
    problems.add('QSCOPE_TLS_CLIENT_AUTH', 'should be request or require, because QSCOPE_TLS_CLIENT_CA_FILE is set')
  }
  return Object.freeze({ ...tls, certFile: certFile ?? '', keyFile: keyFile ?? '', clientAuth })
}

/** Variables that have no effect without the HTTP port. */
const NEED_HTTP = Object.freeze([
  'QSCOPE_HTTP_URL',
  'QSCOPE_HTTP_OAUTH',
  'QSCOPE_HTTP_ALLOWED_ORIGINS',
  'QSCOPE_CONSOLE',
] as const)

function httpOf(values: Values, problems: Problems): HttpConfig | null {
  const { http, grpcListen } = values
  const { listen } = http
  if (listen === null) {
    for (const name of NEED_HTTP) {
      if (problems.isSet(name)) problems.add(name, 'requires QSCOPE_HTTP_LISTEN')
    }
    return null
  }
  if (listen.port !== 0 && listen.port === grpcListen.port && listen.host === grpcListen.host) {
    const other = formatAddress(grpcListen)
    problems.add('QSCOPE_HTTP_LISTEN', `should be another address than QSCOPE_GRPC_LISTEN, ${other}`)
  }
  const url = http.url ?? (values.issuer === null ? null : originFor(values.issuer, grpcListen))
  return Object.freeze({ ...http, listen, url, allowedOrigins: http.allowedOrigins ?? [] })
}

/** The console takes an administrator's secret. It is never served in plaintext to other machines. */
function checkConsole({ console, listen }: HttpConfig, problems: Problems): void {
  if (!console || isLoopback(listen.host)) return
  problems.add(
    'QSCOPE_CONSOLE',
    `should be off: ${formatAddress(listen)} can be reached from other machines, and secrets would be sent in plaintext; QSCOPE_TLS_CERT_FILE and QSCOPE_TLS_KEY_FILE turn TLS on`,
  )
}

/** Callers are assumed to reach the HTTP port at the issuer's origin, unless that is the gRPC port, which does not answer HTTP. */
function originFor(issuer: string, grpcListen: Address): string | null {
  const { origin, port } = new URL(issuer)
  return port === String(grpcListen.port) ? null : origin
}

/** Replaces a missing issuer, so that all other problems are reported as well. */
const NO_ISSUER = 'http://localhost'

function issuerOf({ issuer, grpcListen }: Values, tls: boolean, problems: Problems): string {
  if (issuer !== null) return issuer
  const { schema, shouldBe } = SERVER_VARIABLES.issuer.type
  const listener = formatAddress(grpcListen)
  const atListener = schema.safeParse(`${tls ? 'https' : 'http'}://${listener}`)
  if (atListener.success) return atListener.data
  if (!problems.isSet('QSCOPE_ISSUER')) {
    problems.add(
      'QSCOPE_ISSUER',
      `should be set to ${shouldBe}: no URL can be derived from QSCOPE_GRPC_LISTEN, ${JSON.stringify(masked(listener))}`,
    )
  }
  return NO_ISSUER
}

function checkIssuerScheme(issuer: string, insecure: boolean, problems: Problems): void {
  const { protocol, hostname } = new URL(issuer)
  if (protocol !== 'http:' || isLoopback(hostname)) return
  if (insecure) {
    problems.warn(`QSCOPE_ISSUER is ${issuer}: it should be the https URL that clients use`)
  } else if (!problems.isBroken('QSCOPE_GRPC_LISTEN')) {
    const { shouldBe } = VARIABLES.QSCOPE_ISSUER
    problems.add('QSCOPE_ISSUER', `should be ${shouldBe}${notValue('QSCOPE_ISSUER', issuer)}`)
  }
}

function trustedIssuersOf(
  { trustedIssuersFile: file }: Values,
  issuer: string,
  problems: Problems,
): readonly TrustedIssuer[] {
  if (file === null) return []
  const { issuers, problems: found } = readTrustedIssuers(file, issuer)
  for (const problem of found) problems.add('QSCOPE_TRUSTED_ISSUERS_FILE', `${file}: ${problem}`)
  return issuers
}

/** Next to an embedded database file: `./data/qscope.db` → `./data/qscope.keyring.json`. */
function keyringBeside({ file }: DatabaseTarget): string | null {
  return file === null ? null : `${file.replace(/\.db$/, '')}.keyring.json`
}

function requireLoopback(name: VariableName, address: Address, problems: Problems): void {
  if (isLoopback(address.host) || problems.isBroken('QSCOPE_INSECURE')) return
  problems.add(
    name,
    `should be a loopback address: ${formatAddress(address)} can be reached from other machines, and calls would be sent in plaintext; QSCOPE_TLS_CERT_FILE and QSCOPE_TLS_KEY_FILE turn TLS on, QSCOPE_INSECURE=1 allows it`,
  )
}
