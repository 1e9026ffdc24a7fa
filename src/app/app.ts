import { existsSync } from 'node:fs'
import { AccessTokenVerifier } from '../auth/access-token-verifier.ts'
import { ClientAuthenticator } from '../auth/authenticate-client.ts'
import { AuthenticationFailures } from '../auth/authentication-failures.ts'
import { CallAuthorizer } from '../auth/authorize-call.ts'
import { BruteForceGuard } from '../auth/brute-force-guard.ts'
import { JtiReplayGuard } from '../auth/jti-replay-guard.ts'
import { SecretUsage } from '../auth/secret-usage.ts'
import { BatchScheduler } from '../batch-scheduler.ts'
import { formatAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import type { HttpConfig, TlsConfig } from '../config/rules.ts'
import { ActiveAuditSeal } from '../crypto/audit-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { jitter, uuidV7 } from '../crypto/random.ts'
import { SigningKeys } from '../crypto/signing-keys.ts'
import { type EpochMs, epochMs } from '../domain/ids.ts'
import type { FlowServices } from '../flows/context.ts'
import { FlowRunner } from '../flows/runner.ts'
import { AuditService } from '../gen/qscope/v1/audit_service_pb.ts'
import { ClientService } from '../gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../gen/qscope/v1/device_service_pb.ts'
import { KeyService } from '../gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../gen/qscope/v1/user_service_pb.ts'
import type { Logger } from '../logger.ts'
import { type CounterSync, UnsharedCounters } from '../rate-limits/counter-sync.ts'
import { LiveTokenQuota } from '../rate-limits/live-token-quota.ts'
import { PendingDeviceQuota } from '../rate-limits/pending-device-quota.ts'
import { RateLimiter } from '../rate-limits/rate-limiter.ts'
import { UserCodeAttempts } from '../rate-limits/user-code-attempts.ts'
import { WatchQuota } from '../rate-limits/watch-quota.ts'
import { AuditHandlers } from '../rpc/handlers/audit.ts'
import { ClientHandlers } from '../rpc/handlers/client.ts'
import { DeviceHandlers } from '../rpc/handlers/device.ts'
import { KeyHandlers } from '../rpc/handlers/key.ts'
import { TokenHandlers } from '../rpc/handlers/token.ts'
import { UserHandlers } from '../rpc/handlers/user.ts'
import { IncomingMessages } from '../rpc/incoming-messages.ts'
import { Pipeline } from '../rpc/pipeline.ts'
import { RequestValidator } from '../rpc/request-validator.ts'
import { route } from '../rpc/routes.ts'
import { ServingState } from '../rpc/serving-state.ts'
import type { AuditSeal } from '../stores/contract/audit-log.ts'
import type { Backend } from '../stores/contract/backend.ts'
import type { StoreContext } from '../stores/contract/context.ts'
import { type BackendOptions, openBackend } from '../stores/open.ts'
import type { Observers } from '../telemetry/open-telemetry.ts'
import { KeyRotation } from './jobs/key-rotation.ts'
import { Purge } from './jobs/purge.ts'
import {
  insistOnKeys,
  type KeyReferences,
  keyReferences,
  type MissingKeyring,
  NO_REFERENCES,
  openKeyring,
} from './open-keyring.ts'
import { openAppMigrations } from './open-migrations.ts'
import { TrustedIssuerSet } from './trusted-issuers.ts'

/** One device that polls too fast; what comes on top is answered alike, but not noted. */
const DEVICE_POLLS = Object.freeze({ burst: 60, perMinute: 60 })

const SERVICES = Object.freeze([ClientService, TokenService, DeviceService, UserService, AuditService, KeyService])

/** Everything that answers calls, joined together. */
export interface App {
  readonly backend: Backend
  readonly runner: FlowRunner
  /** Lets callers in. */
  readonly authorizer: CallAuthorizer
  readonly pipeline: Pipeline
  readonly state: ServingState
  /** What messages on their way may take, whichever port they come by. */
  readonly incoming: IncomingMessages
  /** Lets calls begin together, and their look-ups travel together. */
  readonly scheduler: BatchScheduler
  readonly keyring: Keyring
  /** Whose assertions stand for clients. */
  readonly trustedIssuers: TrustedIssuerSet
  /** Deletes expired rows; idle until it is started. */
  readonly purge: Purge
  /** Replaces the signing key in time; idle until it is started. */
  readonly keyRotation: KeyRotation
  /** Throws `KeyringFileError` if the database refers to a key that is not here. */
  checkKeys(): Promise<void>
  /** Writes out what waits in the background. */
  flush(): Promise<void>
  /** Flushes, and lets go of the database. */
  close(): Promise<void>
}

/** Joins the layers on an open keyring. The database may still be unusable; `backend.check` tells. */
export async function openApp(
  config: Config,
  log: Logger,
  keyring: Keyring,
  {
    now = () => epochMs(Date.now()),
    sharing = new UnsharedCounters(),
    observers,
  }: { readonly now?: () => EpochMs; readonly sharing?: CounterSync; readonly observers?: Observers } = {},
): Promise<App> {
  const scheduler = new BatchScheduler()
  const opening = openAppBackend(config, log, keyring, { observer: observers?.stores, scheduler })
  // The database opens in its own thread, or on its server, while the rules of all requests are compiled here.
  const validator = new RequestValidator(SERVICES.flatMap(({ methods }) => methods.map(({ input }) => input)))
  const backend = await opening
  const secretUsage = new SecretUsage(backend, log)
  const trustedIssuers = new TrustedIssuerSet(config.trustedIssuers, { now, log })
  const { issuer, signingAlgorithm, limits } = config
  const signingKeys = new SigningKeys(keyring)
  const accessTokens = new AccessTokenVerifier({ reads: backend.reads, signingKeys, issuer })
  const jtiReplayGuard = new JtiReplayGuard(backend, log)
  const bruteForceGuard = new BruteForceGuard(
    { perClient: limits.authenticationFailuresPerClient, perPeer: limits.authenticationFailuresPerPeer },
    sharing,
  )
  const clients = new ClientAuthenticator({
    reads: backend.reads,
    keyring,
    issuer,
    bruteForceGuard,
    authenticationFailures: new AuthenticationFailures(backend, sharing, observers?.flows),
    jtiReplayGuard,
    secretUsage,
  })
  const authorizer = new CallAuthorizer({ clients, accessTokens, bruteForceGuard, issuer })
  const services: FlowServices = {
    keyring,
    signingKeys,
    signingAlgorithm,
    issuer,
    accessTokens,
    jtiReplayGuard,
    trustedIssuers: trustedIssuers.byIssuer,
    limits: {
      mints: new RateLimiter(limits.mintRate, { counterSync: sharing, name: 'mints' }),
      liveTokens: new LiveTokenQuota(limits.maxLiveTokensPerClient, backend.reads.accessTokens, sharing),
      userCodeAttempts: new UserCodeAttempts(sharing),
      pendingDeviceAuthorizations: limits.maxPendingDeviceAuthorizations,
      publicDeviceStarts: new RateLimiter(limits.deviceStartRate, {
        counterSync: sharing,
        name: 'public-device-starts',
      }),
      publicDevices: new PendingDeviceQuota(
        {
          perClient: limits.maxPendingDeviceAuthorizations,
          perPeer: limits.maxPendingDeviceAuthorizationsPerPeer,
        },
        sharing,
      ),
      devicePolls: new RateLimiter(DEVICE_POLLS, { counterSync: sharing, name: 'device-polls' }),
    },
  }
  const runner = new FlowRunner(backend, services, observers?.flows)
  const state = new ServingState()
  const stopping = new AbortController()
  state.onChange(() => {
    if (state.draining) stopping.abort()
  })
  const { deviceVerificationUri: verificationUri } = config
  const routes = [
    ...route(ClientService, new ClientHandlers(runner)),
    ...route(TokenService, new TokenHandlers(runner, { issuer, helpBase: helpBaseOf(config) })),
    ...route(
      DeviceService,
      new DeviceHandlers({
        runner,
        now,
        verificationUri,
        stopping: stopping.signal,
        watches: new WatchQuota(limits.maxWatchesPerPeer),
      }),
    ),
    ...route(UserService, new UserHandlers(runner)),
    ...route(AuditService, new AuditHandlers(runner)),
    ...route(KeyService, new KeyHandlers(runner)),
  ]
  const { purgeIntervalMs: intervalMs, purgeRetentionMs: retentionMs } = config
  const purge = new Purge({ maintenance: backend.maintenance, log, now, intervalMs, retentionMs })
  const keyRotation = new KeyRotation({
    backend,
    runner,
    log,
    now,
    algorithm: signingAlgorithm,
    periodMs: config.signingKeyRotationMs,
  })
  const isDraining = () => state.draining
  const pipeline = new Pipeline({ routes, authorizer, log, now, isDraining, validator, observer: observers?.calls })
  return {
    backend,
    runner,
    authorizer,
    pipeline,
    state,
    incoming: new IncomingMessages(config.maxMessageBytes),
    scheduler,
    keyring,
    trustedIssuers,
    purge,
    keyRotation,
    checkKeys: async () => insistOnKeys(keyring, await keyReferences(backend, systemContext(log)), config),
    flush: () => secretUsage.flush(),
    close: async () => {
      purge.stop()
      keyRotation.stop()
      await secretUsage.close()
      await backend.close()
    },
  }
}

/** Opens the keyring; for one that is missing, asks the database whether it refers to keys. */
export async function openAppKeyring(config: Config, log: Logger, missing?: MissingKeyring): Promise<Keyring> {
  return await openKeyring(config, log, (provisional) => databaseKeyReferences(config, log, provisional), missing)
}

/** For commands: only `serve` and `migrate` make a database. Throws an error of one line where there is none. */
export function insistOnDatabase({ database: { file } }: Config): void {
  if (file === null || existsSync(file)) return
  throw new Error(
    `there is no database at ${file}: qscope serve and qscope migrate up make one, QSCOPE_DATABASE_URL names another, and --server asks a running server`,
  )
}

/** The keys that the database refers to; none if it has no tables, or is not there yet. */
export async function databaseKeyReferences(config: Config, log: Logger, keyring: Keyring): Promise<KeyReferences> {
  const { embedded, file } = config.database
  if (embedded && (file === null || !existsSync(file))) return NO_REFERENCES
  const migrations = await openAppMigrations(config, log)
  try {
    if (await migrations.isEmpty()) return NO_REFERENCES
  } finally {
    await migrations.close()
  }
  const backend = await openAppBackend(config, log, keyring)
  try {
    return await keyReferences(backend, systemContext(log))
  } finally {
    await backend.close()
  }
}

async function openAppBackend(
  config: Config,
  log: Logger,
  keyring: Keyring,
  shared: Pick<BackendOptions, 'observer' | 'scheduler'> = {},
): Promise<Backend> {
  const { database, connections, maxQueuedCalls } = config
  const seal = sealOf(keyring)
  return await openBackend(database.url, { seal, log, newId: uuidV7, jitter, connections, maxQueuedCalls, ...shared })
}

/**
 * Where the errors are documented: the page that is named, or else the one that
 * the HTTP port serves. `undefined`: nowhere that a caller could reach. The port
 * must be known.
 */
export function helpBaseOf({ errorDocsUrl, http, tls }: Config): string | undefined {
  if (errorDocsUrl !== null) return errorDocsUrl
  return http === null ? undefined : `${httpUrlOf(http, tls, http.listen.port)}/docs/errors`
}

/** Where callers reach the HTTP port. */
export function httpUrlOf({ listen, url }: HttpConfig, tls: TlsConfig | null, port: number): string {
  return url ?? `${tls === null ? 'http' : 'https'}://${formatAddress({ host: listen.host, port })}`
}

export function sealOf(keyring: Keyring): AuditSeal {
  return new ActiveAuditSeal(keyring)
}

/** For what the process does of its own accord. */
export function systemContext(log: Logger): StoreContext {
  return { rayId: uuidV7(), now: epochMs(Date.now()), log, deadline: null, signal: new AbortController().signal }
}
