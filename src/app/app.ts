import manifest from '../../package.json' with { type: 'json' }
import { AccessTokenVerifier } from '../auth/access-token-verifier.ts'
import { AssertionExaminer } from '../auth/assertion-examiner.ts'
import { ClientAuthenticator } from '../auth/authenticate-client.ts'
import { AuthenticationFailures } from '../auth/authentication-failures.ts'
import { CallAuthorizer } from '../auth/authorize-call.ts'
import { BruteForceGuard } from '../auth/brute-force-guard.ts'
import type { TrustedProxies } from '../auth/forwarded-certificate/trusted-proxies.ts'
import { ImportedSecrets } from '../auth/imported-secrets.ts'
import { JtiReplayGuard } from '../auth/jti-replay-guard.ts'
import { SecretUsage } from '../auth/secret-usage.ts'
import { BatchScheduler } from '../batching.ts'
import type { Config } from '../config/config.ts'
import type { Logger } from '../context.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { RevocationKeys } from '../crypto/revocation-keys.ts'
import { SigningKeys } from '../crypto/signing-keys.ts'
import { type EpochMs, epochMs, milliseconds } from '../domain/ids.ts'
import { ExpressionCompiler } from '../expressions/expression.ts'
import { RuleEvaluator } from '../expressions/rule-expressions.ts'
import { AuditFeed } from '../flows/audit/audit-feed.ts'
import { AuditWatches } from '../flows/audit/watch-audit-log.ts'
import type { FlowServices, IssuingClock } from '../flows/context.ts'
import { RevocationPolls } from '../flows/revocations/poll-revocations.ts'
import { RevocationFeed } from '../flows/revocations/revocation-feed.ts'
import { FlowRunner } from '../flows/runner.ts'
import { Authorization } from '../gen/envoy/service/auth/v3/external_auth_pb.ts'
import { AuditService } from '../gen/qscope/v1/audit_service_pb.ts'
import { ClientService } from '../gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../gen/qscope/v1/device_service_pb.ts'
import { KeyService } from '../gen/qscope/v1/key_service_pb.ts'
import { ServerService } from '../gen/qscope/v1/server_service_pb.ts'
import { TokenService } from '../gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../gen/qscope/v1/trust_service_pb.ts'
import { UsageService } from '../gen/qscope/v1/usage_service_pb.ts'
import { UserService } from '../gen/qscope/v1/user_service_pb.ts'
import { type CounterSync, UnsharedCounters } from '../rate-limits/counter-sync.ts'
import { LiveTokenQuota } from '../rate-limits/live-token-quota.ts'
import { PendingDeviceQuota } from '../rate-limits/pending-device-quota.ts'
import { RateLimiter } from '../rate-limits/rate-limiter.ts'
import { UserCodeAttempts } from '../rate-limits/user-code-attempts.ts'
import { WaitingQuota } from '../rate-limits/waiting-quota.ts'
import { WatchQuota } from '../rate-limits/watch-quota.ts'
import { AuthorizationHandlers } from '../rpc/ext-authz/authorization.ts'
import { NamedPeers } from '../rpc/ext-authz/named-peers.ts'
import { AuditHandlers } from '../rpc/handlers/audit.ts'
import { ClientHandlers } from '../rpc/handlers/client.ts'
import { DeviceHandlers } from '../rpc/handlers/device.ts'
import { KeyHandlers } from '../rpc/handlers/key.ts'
import { ServerHandlers } from '../rpc/handlers/server.ts'
import { TokenHandlers } from '../rpc/handlers/token.ts'
import { TrustHandlers } from '../rpc/handlers/trust.ts'
import { UsageHandlers } from '../rpc/handlers/usage.ts'
import { UserHandlers } from '../rpc/handlers/user.ts'
import { IncomingMessages } from '../rpc/incoming-messages.ts'
import { Pipeline } from '../rpc/pipeline.ts'
import { RequestValidator } from '../rpc/request-validator.ts'
import { type Route, route } from '../rpc/routes.ts'
import { ServingState } from '../rpc/serving-state.ts'
import type { Backend } from '../stores/contract/backend.ts'
import type { Observers } from '../telemetry/open-telemetry.ts'
import { RecentRates, SAMPLING_MS } from '../telemetry/recent-rates.ts'
import { configuredSinks } from './audit-sinks/open-sinks.ts'
import { UsageProjection } from './audit-sinks/usage-projection.ts'
import { openConfiguredBackend } from './database.ts'
import { AuditFollower } from './jobs/audit-follower.ts'
import { BackgroundJob } from './jobs/background-job.ts'
import { ClockWatch } from './jobs/clock-watch.ts'
import { KeyRotation } from './jobs/key-rotation.ts'
import { Purge } from './jobs/purge.ts'
import { RevocationKeyUse } from './jobs/revocation-key-use.ts'
import { assertKeysPresent, keyReferences } from './keyring.ts'
import { capabilitiesOf, helpBaseOf, httpBaseOf } from './listeners.ts'
import { OwnStatus } from './server-status.ts'
import { keyReaderOf } from './trust/issuer-problems.ts'
import { KeySets } from './trust/key-sets.ts'
import { TrustedIssuerSet } from './trust/trusted-issuers.ts'

/** The limit of one device that polls too fast. Further polls get the same answer, but are not recorded. */
const DEVICE_POLLS = Object.freeze({ burst: 60, perMinute: 60 })

const SERVICES = Object.freeze([
  ClientService,
  TokenService,
  DeviceService,
  UserService,
  UsageService,
  AuditService,
  KeyService,
  TrustService,
  ServerService,
])

export interface AppOptions {
  readonly now?: () => EpochMs
  /** Shares counts with other processes. Default: this process counts alone. */
  readonly counterSync?: CounterSync
  readonly observers?: Observers
  /** The proxies that may forward certificates. Default: none. */
  readonly trustedProxies?: TrustedProxies | null
  /** Opens the configured database. Default: `openConfiguredBackend`. */
  readonly openDatabase?: typeof openConfiguredBackend
}

/** An embedded database uses the clock of its machine. */
const ALWAYS_RIGHT: IssuingClock = Object.freeze({ isRight: () => true })

/** Connects the layers on an open keyring. The database may still be unusable: see `backend.check`. */
export async function openApp(config: Config, log: Logger, keyring: Keyring, options: AppOptions = {}): Promise<App> {
  const scheduler = new BatchScheduler()
  const { openDatabase = openConfiguredBackend } = options
  const opening = openDatabase(config, log, keyring, { observer: options.observers?.stores, scheduler })
  // The database opens in its own thread, or on its server, while the rules of all requests are compiled here.
  const services = config.extAuthz === null ? SERVICES : [...SERVICES, Authorization]
  const validator = new RequestValidator(services.flatMap(({ methods }) => methods.map(({ input }) => input)))
  return new App({ config, log, keyring, backend: await opening, scheduler, validator, ...options })
}

interface AppParts extends AppOptions {
  readonly config: Config
  readonly log: Logger
  readonly keyring: Keyring
  readonly backend: Backend
  readonly scheduler: BatchScheduler
  readonly validator: RequestValidator
}

/** The connected parts that answer calls. */
export class App {
  readonly backend: Backend
  /** Starts calls together, so that their look-ups are batched. */
  readonly scheduler: BatchScheduler
  readonly runner: FlowRunner
  /** The services that flows share. */
  readonly services: FlowServices
  /** Authorizes calls. */
  readonly authorizer: CallAuthorizer
  readonly pipeline: Pipeline
  readonly state: ServingState
  /** The memory budget of incoming messages on all ports. */
  readonly incoming: IncomingMessages
  readonly keyring: Keyring
  /** Compares this machine's clock with the database's. `null`: the database is embedded and uses the same clock. */
  readonly clock: ClockWatch | null
  /** The keys of trusted issuers. */
  readonly keySets: KeySets
  readonly trustedIssuers: TrustedIssuerSet
  readonly revocationKeyUse: RevocationKeyUse
  /** Deletes expired rows. */
  readonly purge: Purge
  /** Publishes revocations to verifiers: the feed shared by all waiting calls, their quota, and their answers. */
  readonly revocationFeed: RevocationFeed
  readonly pollQuota: WaitingQuota
  readonly revocationPolls: RevocationPolls
  /** Follows the audit log for all watches in this process. */
  readonly auditFeed: AuditFeed
  readonly auditWatches: AuditWatches
  /** Deliver audit events to the configured sinks. */
  readonly auditFollowers: readonly AuditFollower[]
  /** Replaces the signing key on schedule. */
  readonly keyRotation: KeyRotation
  readonly #config: Config
  readonly #log: Logger
  readonly #secretUsage: SecretUsage
  readonly #recentRates: RecentRates
  readonly #rateSampling: BackgroundJob
  /** Aborted when the server is asked to stop. */
  readonly #stopping: AbortSignal

  constructor({
    config,
    log,
    keyring,
    backend,
    scheduler,
    validator,
    now = () => epochMs(Date.now()),
    counterSync = new UnsharedCounters(),
    observers,
    trustedProxies = null,
  }: AppParts) {
    this.#config = config
    this.#log = log
    this.backend = backend
    this.scheduler = scheduler
    this.keyring = keyring
    this.#secretUsage = new SecretUsage(backend, log)
    this.clock = config.database.embedded
      ? null
      : new ClockWatch({ databaseTime: () => backend.clock(), allowed: milliseconds(config.maxClockSkewMs), log })
    this.keySets = new KeySets({ now, log, reader: keyReaderOf(config), observer: observers?.keys })
    const { keySets } = this
    this.trustedIssuers = new TrustedIssuerSet(config.trustedIssuers, { keySets, reads: backend.reads.trustedIssuers })
    const { issuer, signingAlgorithm, limits } = config
    const { reads } = backend
    const signingKeys = new SigningKeys(keyring)
    const accessTokens = new AccessTokenVerifier({ reads, signingKeys, issuer })
    const jtiReplayGuard = new JtiReplayGuard(backend, log)
    const bruteForceGuard = new BruteForceGuard(
      { perClient: limits.authenticationFailuresPerClient, perPeer: limits.authenticationFailuresPerPeer },
      counterSync,
    )
    const assertionExaminer = new AssertionExaminer({ trustedIssuers: this.trustedIssuers, issuer })
    const clients = new ClientAuthenticator({
      reads,
      keyring,
      issuer,
      bruteForceGuard,
      authenticationFailures: new AuthenticationFailures(backend, counterSync, observers?.flows),
      jtiReplayGuard,
      secretUsage: this.#secretUsage,
      importedSecrets: new ImportedSecrets(backend, keyring, log),
      assertionExaminer,
      keySets,
    })
    this.authorizer = new CallAuthorizer({ clients, accessTokens, bruteForceGuard, issuer })
    this.services = {
      keyring,
      signingKeys,
      revocationKeys: new RevocationKeys(keyring),
      signingAlgorithm,
      issuer,
      accessTokens,
      jtiReplayGuard,
      trustedIssuers: this.trustedIssuers,
      ruleEvaluator: new RuleEvaluator(new ExpressionCompiler()),
      assertionExaminer,
      clock: this.clock ?? ALWAYS_RIGHT,
      limits: flowLimits(limits, backend, counterSync),
    }
    this.revocationKeyUse = new RevocationKeyUse(backend, keyring, log)
    this.runner = new FlowRunner(backend, this.services, observers?.flows)
    this.state = new ServingState()
    const stopping = new AbortController()
    this.state.onChange(() => {
      if (this.state.draining) stopping.abort()
    })
    this.#stopping = stopping.signal
    const monotonic = () => performance.now()
    this.revocationFeed = new RevocationFeed({ reads: reads.revocations, log, monotonic, stopping: this.#stopping })
    this.pollQuota = new WaitingQuota(
      {
        perClient: limits.maxWaitingPollsPerClient,
        perPeer: limits.maxWaitingPollsPerPeer,
        perProcess: limits.maxWaitingPolls,
      },
      'waiting polls',
    )
    this.auditFeed = new AuditFeed({ reads: reads.auditFeed, log, monotonic, stopping: this.#stopping })
    const perProcess = limits.maxAuditWatches
    this.auditWatches = new AuditWatches({
      feed: this.auditFeed,
      // Leaves places for other clients.
      quota: new WaitingQuota(
        { perClient: Math.ceil(perProcess / 2), perPeer: perProcess, perProcess },
        'streams of audit events',
      ),
      keyring,
      now,
      monotonic,
      stopping: this.#stopping,
    })
    this.revocationPolls = new RevocationPolls({
      runner: this.runner,
      feed: this.revocationFeed,
      quota: this.pollQuota,
      keyring,
      now,
      monotonic,
    })
    const noCalls = { calls: new Map(), refusals: new Map() }
    this.#recentRates = new RecentRates(observers?.callTotals ?? (() => noCalls), monotonic)
    this.#rateSampling = new BackgroundJob({
      log,
      delayMs: () => SAMPLING_MS,
      run: async () => this.#recentRates.sample(),
      failureMessage: 'the rates of calls could not be sampled',
    })
    const { isCounted, retentionMs: usageMs } = config.usage
    const usage = isCounted ? [new UsageProjection(now, milliseconds(usageMs))] : []
    this.auditFollowers = [...configuredSinks(config, manifest.version), ...usage].map(
      (projection) => new AuditFollower({ projection, feed: this.auditFeed, backend, log, now, monotonic }),
    )
    this.incoming = new IncomingMessages(config.maxMessageBytes)
    this.pipeline = new Pipeline({
      routes: this.#routes(now),
      authorizer: this.authorizer,
      log,
      now,
      isDraining: () => this.state.draining,
      validator,
      observer: observers?.calls,
      trustedProxies,
    })
    const { purgeIntervalMs: intervalMs, purgeRetentionMs: retentionMs, signingKeyRotationMs: periodMs } = config
    this.purge = new Purge({
      maintenance: backend.maintenance,
      clock: this.services.clock,
      log,
      now,
      intervalMs,
      retentionMs,
    })
    this.keyRotation = new KeyRotation({
      backend,
      runner: this.runner,
      log,
      now,
      algorithm: signingAlgorithm,
      periodMs,
    })
  }

  /** Throws `KeyringFileError` if the database refers to a key that is not here. */
  async checkKeys(): Promise<void> {
    assertKeysPresent(this.keyring, await keyReferences(this.backend, this.#log), this.#config)
  }

  /** Starts the background jobs of a server. */
  startJobs(): void {
    this.purge.start()
    this.keyRotation.start()
    this.#rateSampling.start()
    for (const follower of this.auditFollowers) follower.start()
  }

  /** Stops the background jobs. */
  stopJobs(): void {
    this.purge.stop()
    this.keyRotation.stop()
    this.#rateSampling.stop()
    for (const follower of this.auditFollowers) void follower.stop()
  }

  /** Waits for background writes. */
  async flush(): Promise<void> {
    await this.#secretUsage.flush()
  }

  /** Stops, flushes, and closes the database. */
  async close(): Promise<void> {
    this.stopJobs()
    await Promise.all(this.auditFollowers.map((follower) => follower.stop()))
    await this.#secretUsage.close()
    await this.backend.close()
  }

  #ownStatus(): OwnStatus {
    return new OwnStatus({
      config: this.#config,
      log: this.#log,
      database: this,
      state: this.state,
      rates: this.#recentRates,
      monotonic: () => performance.now(),
    })
  }

  #routes(now: () => EpochMs): readonly Route[] {
    const { issuer, deviceVerificationUri: verificationUri, limits, extAuthz } = this.#config
    const experiments = this.#config.experimental ?? []
    const { runner, revocationPolls: polls } = this
    return [
      ...route(ClientService, new ClientHandlers(runner)),
      ...route(
        TokenService,
        new TokenHandlers(runner, { polls, issuer, experiments, helpBase: helpBaseOf(this.#config) }),
      ),
      ...route(
        DeviceService,
        new DeviceHandlers({
          runner,
          now,
          verificationUri,
          stopping: this.#stopping,
          watches: new WatchQuota(limits.maxWatchesPerPeer),
        }),
      ),
      ...route(UserService, new UserHandlers(runner)),
      ...route(UsageService, new UsageHandlers(runner)),
      ...route(AuditService, new AuditHandlers(runner, this.auditWatches)),
      ...route(KeyService, new KeyHandlers(runner)),
      ...route(TrustService, new TrustHandlers(runner)),
      ...route(
        ServerService,
        new ServerHandlers({
          capabilities: capabilitiesOf(this.#config),
          httpUrl: httpBaseOf(this.#config),
          status: this.#ownStatus(),
        }),
      ),
      ...(extAuthz === null
        ? []
        : route(Authorization, new AuthorizationHandlers(runner), new NamedPeers(extAuthz.peers))),
    ]
  }
}

function flowLimits(limits: Config['limits'], { reads }: Backend, counterSync: CounterSync): FlowServices['limits'] {
  const { maxPendingDeviceAuthorizations } = limits
  return {
    mints: new RateLimiter(limits.mintRate, { counterSync, name: 'mints' }),
    liveTokens: new LiveTokenQuota(limits.maxLiveTokensPerClient, reads.accessTokens, counterSync),
    userCodeAttempts: new UserCodeAttempts(counterSync),
    pendingDeviceAuthorizations: maxPendingDeviceAuthorizations,
    trustedIssuers: limits.maxTrustedIssuers,
    publicDeviceStarts: new RateLimiter(limits.deviceStartRate, { counterSync, name: 'public-device-starts' }),
    publicDevices: new PendingDeviceQuota(
      { perClient: maxPendingDeviceAuthorizations, perPeer: limits.maxPendingDeviceAuthorizationsPerPeer },
      counterSync,
    ),
    leakReports: new RateLimiter(limits.leakReportRate, { counterSync, name: 'leak-reports' }),
    devicePolls: new RateLimiter(DEVICE_POLLS, { counterSync, name: 'device-polls' }),
  }
}
