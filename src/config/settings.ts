import { formatAddress } from './address.ts'
import type { Config } from './config.ts'
import { maskUrl } from './database-url.ts'
import { formatDuration } from './duration.ts'
import type { Environment } from './environment.ts'
import { limitSettings } from './limits.ts'
import { tracingSettings } from './tracing.ts'
import type { VariableName } from './variables.ts'

/** One variable's effective value, fit to be shown. */
export interface Setting {
  readonly name: VariableName
  /** Secrets masked. */
  readonly value: string
  readonly source: 'environment' | 'file' | 'default'
}

/** The effective values of all variables, in the order of their table. */
export function settingsOf(
  config: Omit<Config, 'warnings' | 'settings'>,
  environment: Environment,
): readonly Setting[] {
  const onOff = (value: boolean) => (value ? 'on' : 'off')
  const shown = {
    QSCOPE_DATABASE_URL: maskUrl(config.database.url),
    QSCOPE_SQLITE_WAL_LIMIT: String(config.connections.walLimit),
    QSCOPE_DATABASE_TLS: onOff(config.connections.tls !== null),
    QSCOPE_DATABASE_CA_FILE: environment.values.get('QSCOPE_DATABASE_CA_FILE') ?? '(none)',
    QSCOPE_DATABASE_POOL_SIZE: String(config.connections.poolSize),
    QSCOPE_DATABASE_CONNECT_TIMEOUT: formatDuration(config.connections.connectTimeoutMs),
    QSCOPE_DATABASE_STATEMENT_TIMEOUT: formatDuration(config.connections.statementTimeoutMs),
    QSCOPE_DATABASE_MAX_QUEUED_CALLS: String(config.maxQueuedCalls),
    QSCOPE_GRPC_LISTEN: formatAddress(config.grpcListen),
    QSCOPE_HTTP_LISTEN: config.http === null ? 'off' : formatAddress(config.http.listen),
    QSCOPE_HTTP_URL: config.http === null ? '(off)' : (config.http.url ?? '(the address)'),
    QSCOPE_HTTP_ALLOWED_ORIGINS: config.http?.allowedOrigins.join(',') || '(none)',
    QSCOPE_WORKERS: String(config.workers),
    QSCOPE_TLS_CERT_FILE: config.tls?.certFile ?? '(plaintext)',
    QSCOPE_TLS_KEY_FILE: config.tls?.keyFile ?? '(plaintext)',
    QSCOPE_TLS_CLIENT_CA_FILE: config.tls?.clientCaFile ?? '(none)',
    QSCOPE_TLS_CLIENT_AUTH: config.tls?.clientAuth ?? 'none',
    QSCOPE_TLS_RELOAD_INTERVAL: config.tls === null ? '(plaintext)' : formatDuration(config.tls.reloadIntervalMs),
    QSCOPE_TRUSTED_ISSUERS_FILE: environment.values.get('QSCOPE_TRUSTED_ISSUERS_FILE') ?? '(none)',
    QSCOPE_ISSUER: config.issuer,
    QSCOPE_DEVICE_VERIFICATION_URI: config.deviceVerificationUri,
    QSCOPE_ERROR_DOCS_URL: config.errorDocsUrl ?? (config.http === null ? '(none)' : '(the HTTP port)'),
    QSCOPE_KEYRING_FILE: config.keyringFile ?? '(drawn in memory)',
    QSCOPE_LOG_LEVEL: config.log.level,
    QSCOPE_LOG_FORMAT: config.log.format,
    QSCOPE_REFLECTION: onOff(config.reflection),
    QSCOPE_INSECURE: config.insecure ? '1' : '0',
    ...tracingSettings(config.tracing),
    QSCOPE_SHUTDOWN_GRACE: formatDuration(config.shutdownGraceMs),
    QSCOPE_MAX_MESSAGE_BYTES: String(config.maxMessageBytes),
    QSCOPE_MAX_CONCURRENT_STREAMS: String(config.maxConcurrentStreams),
    QSCOPE_MAX_CONNECTION_AGE: formatDuration(config.maxConnectionAgeMs),
    ...limitSettings(config.limits),
    QSCOPE_SIGNING_ALGORITHM: config.signingAlgorithm,
    QSCOPE_SIGNING_KEY_ROTATION:
      config.signingKeyRotationMs === null ? 'off' : formatDuration(config.signingKeyRotationMs),
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
