import { isLoopback } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import type { VariableName } from '../config/variables.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { KeyringFileError } from '../crypto/keyring-file.ts'
import { jitter, uuidV7 } from '../crypto/random.ts'
import type { Log } from '../log/create-log.ts'
import { firstLineOf } from '../message-of.ts'
import type { CounterSync } from '../rate-limits/counter-sync.ts'
import { expose } from '../telemetry/metrics.ts'
import { GrpcServer } from '../transports/grpc/server.ts'
import { type App, openApp } from './app.ts'
import type { Lifecycle, SeededClient } from './cluster/lifecycle.ts'
import { type DatabaseSetup, seedInMemory } from './database-setup.ts'
import { loadTransport } from './grpc-transport.ts'
import { HealthMonitor } from './health-monitor.ts'
import { KeyringWatcher } from './keyring.ts'
import { grpcLimitsOf, helpBaseOf, openHttpServer } from './listeners.ts'
import { printAdminSecret } from './startup-banner.ts'
import { AppState, openConfiguredTelemetry } from './telemetry.ts'
import type { TlsFiles } from './trust/tls-files.ts'
import { trustedProxiesOf } from './trust/trusted-proxies.ts'

/** The parts that are opened before a server, because they are shared or show problems early. */
export interface ServerDependencies {
  readonly tls: TlsFiles | null
  readonly keyring: Keyring
  readonly setup: DatabaseSetup
  /** Shares counts with other processes. Default: each process counts alone. */
  readonly counterSync?: CounterSync
  /** Registers clients before the server listens. */
  readonly seed?: (app: App) => Promise<readonly SeededClient[]>
}

/** The time for sending the last spans when the server stops. */
const LAST_SPANS_MS = 2_000

/** Serves in this process until its lifecycle requests a stop. Resolves when it has drained. */
export async function runServer(
  config: Config,
  log: Log,
  lifecycle: Lifecycle,
  { tls, keyring, setup, counterSync, seed }: ServerDependencies,
): Promise<void> {
  const telemetry = await openConfiguredTelemetry(config, log)
  const trustedProxies = trustedProxiesOf(config, tls)
  const app = await namingVariable('QSCOPE_DATABASE_URL', () =>
    openApp(config, log, keyring, {
      observers: telemetry,
      trustedProxies,
      ...(counterSync !== undefined && { counterSync }),
    }),
  )
  telemetry.watch(new AppState(app, log))
  const inMemory = config.database.embedded && config.database.file === null
  const admin = setup.created ? setup.admin : inMemory && isOnLoopback(config) ? await seedInMemory(app, log) : null
  const server = new GrpcServer({
    listen: config.grpcListen,
    socket: config.sockets.grpc,
    transport: await loadTransport(config.grpcTransport),
    pipeline: app.pipeline,
    state: app.state,
    log,
    tls,
    newRayId: uuidV7,
    jitter,
    helpBase: helpBaseOf(config),
    reflection: config.reflection,
    limits: grpcLimitsOf(config),
    incoming: app.incoming,
    scheduler: app.scheduler,
  })
  const collectMetrics = lifecycle.aggregateMetrics(() => telemetry.snapshot())
  const metrics = async () => await expose(await collectMetrics())
  const http = await openHttpServer({ config, app, tls, log, metrics })
  const monitor = new HealthMonitor(app, log, config.healthIntervalMs)
  let address = config.grpcListen
  let httpAddress = config.http?.listen ?? null
  let seeded: readonly SeededClient[] = []
  try {
    await namingVariable('QSCOPE_DATABASE_URL', () => monitor.start())
    if (seed !== undefined) seeded = await seed(app)
    await lifecycle.readyToListen()
    const { port } = await server.start()
    address = { ...address, port }
    if (http !== null && httpAddress !== null) httpAddress = { ...httpAddress, port: (await http.start()).port }
  } catch (error) {
    printAdminSecret(admin)
    await server.stop(0)
    await app.close()
    throw error
  }
  app.startJobs()
  const keyringWatcher = new KeyringWatcher(config.keyringFile, keyring, log)
  lifecycle.onReload(async ({ parts, trustedIssuers }) => {
    if (parts.includes('TLS files')) await tls?.reload()
    if (parts.includes('keyring')) keyringWatcher.reload()
    if (trustedIssuers !== null) await app.trustedIssuers.replace(trustedIssuers)
  })
  lifecycle.onListening({ address, httpAddress, admin, needsAdmin: setup.created && admin === null, seeded })

  const reason = await lifecycle.stopRequested
  log.info({ reason, graceMs: config.shutdownGraceMs }, 'stopping; waiting for running calls')
  monitor.stop()
  tls?.stop()
  app.stopJobs()
  keyringWatcher.stop()
  await Promise.all([server.stop(config.shutdownGraceMs), http?.stop(config.shutdownGraceMs)])
  await app.close()
  await telemetry.close(LAST_SPANS_MS)
  log.info({}, 'stopped')
  log.flush()
}

/** Whether only callers on this machine can reach the server. */
export function isOnLoopback({ grpcListen, http }: Config): boolean {
  return isLoopback(grpcListen.host) && (http === null || isLoopback(http.listen.host))
}

/** Runs a part of the start. A failure becomes an error of one line that names the responsible variable. */
export async function namingVariable<T>(variable: VariableName, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const line = firstLineOf(error)
    if (line.includes('QSCOPE_')) throw error
    throw new Error(`${error instanceof KeyringFileError ? 'QSCOPE_KEYRING_FILE' : variable}: ${line}`, {
      cause: error,
    })
  }
}
