import { formatAddress, isLoopback } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { jitter, uuidV7 } from '../crypto/random.ts'
import type { Log } from '../log/create-log.ts'
import { firstLineOf } from '../message-of.ts'
import { printable } from '../printable.ts'
import type { CounterSync } from '../rate-limits/counter-sync.ts'
import { expose } from '../telemetry/metrics.ts'
import { GrpcServer } from '../transports/grpc/server.ts'
import { type Announcement, printStartupBanner } from './announce.ts'
import { helpBaseOf, openApp, openAppKeyring } from './app.ts'
import { assertPortFree } from './assert-port-free.ts'
import type { Measured } from './cluster/metrics-aggregation.ts'
import { supervise } from './cluster/supervise.ts'
import { insistOnIssuerKeyFiles } from './doctor/examine-issuers.ts'
import { grpcLimitsOf } from './grpc-limits.ts'
import { type HealthMonitor, monitorHealth } from './health-monitor.ts'
import { followKeyringFile } from './keyring-reload.ts'
import { openAppTelemetry } from './open-app-telemetry.ts'
import { openHttpServer } from './open-http-server.ts'
import { onHangUp, type Reload, readAgain } from './reload.ts'
import { serverStateOf } from './server-state.ts'
import { type SetUp, seedInMemory, setUpDatabase } from './set-up.ts'
import { during } from './start-failure.ts'
import { adminNotice } from './startup-banner.ts'
import { outliveSignals, stopSignal } from './stop-signals.ts'
import { openTlsFiles, type TlsFiles } from './tls-files.ts'

/** Who starts and stops a server, and hears how it goes: an operator, or the primary of several workers. */
export interface Lifecycle {
  /** Resolves with the reason when the server is to stop. */
  readonly stopAsked: Promise<string>
  /** Everything is open but the port; resolves when that may be. */
  opened(): Promise<void>
  listening(announcement: Announcement): void
  /** Hears how this process takes up what was read again. */
  reloadWith(apply: (reload: Reload) => Promise<void>): void
  /** Hears how this process measures itself; what it returns tells the values of all that serve together. */
  aggregateMetrics(own: () => Promise<Measured>): () => Promise<readonly Measured[]>
}

/** What a server finds when it opens. */
export interface ServerDependencies {
  readonly tls: TlsFiles | null
  readonly keyring: Keyring
  readonly setUp: SetUp
  /** With whom it counts; nobody if not given. */
  readonly sharing?: CounterSync
}

/** How long the collector may take for the last spans when the server stops. */
const LAST_SPANS_MS = 2_000

/**
 * Does what is done once, however many processes serve: then serves until a
 * signal asks it to stop, alone or through workers; resolves when all have
 * drained. Throws an error of one line if it cannot start.
 */
export async function serve(config: Config, log: Log): Promise<void> {
  endOnAccident(log)
  outliveSignals(log)
  // Found out before a secret is drawn that would be shown only once.
  const grpcListen = await assertPortFree('QSCOPE_GRPC_LISTEN', config.grpcListen)
  const http = config.http && {
    ...config.http,
    listen: await assertPortFree('QSCOPE_HTTP_LISTEN', config.http.listen),
  }
  const tls = config.tls === null ? null : await openTlsFiles(config.tls, log)
  await insistOnIssuerKeyFiles(config)
  const keyring = await during('QSCOPE_DATABASE_URL', () => openAppKeyring(config, log))
  const setUp = await during('QSCOPE_DATABASE_URL', () =>
    setUpDatabase(config, log, keyring, { withAdmin: isOnLoopback(config) }),
  )
  if (config.workers > 1) {
    tls?.stop()
    return await supervise({ ...config, grpcListen, http }, log, setUp)
  }
  const keeper: Lifecycle = {
    stopAsked: stopSignal(log),
    opened: async () => undefined,
    listening: (announcement) => printStartupBanner(config, log, announcement),
    reloadWith: (apply) =>
      onHangUp(async () => {
        const reload = await readAgain(config, log)
        await apply(reload)
        log.info({ parts: reload.parts }, 'reloaded')
      }),
    aggregateMetrics: (own) => async () => [await own()],
  }
  await serveUntilAsked({ ...config, grpcListen, http }, log, keeper, { tls, keyring, setUp })
}

/** Serves in this process until its keeper asks it to stop; resolves when it has drained. */
export async function serveUntilAsked(
  config: Config,
  log: Log,
  keeper: Lifecycle,
  premises: ServerDependencies,
): Promise<void> {
  const { tls, keyring, setUp, sharing } = premises
  const telemetry = await openAppTelemetry(config, log)
  const app = await during('QSCOPE_DATABASE_URL', () =>
    openApp(config, log, keyring, { observers: telemetry, ...(sharing !== undefined && { sharing }) }),
  )
  telemetry.watch(serverStateOf(app, log))
  const inMemory = config.database.embedded && config.database.file === null
  const admin = setUp.created ? setUp.admin : inMemory && isOnLoopback(config) ? await seedInMemory(app, log) : null
  const server = new GrpcServer({
    listen: formatAddress(config.grpcListen),
    pipeline: app.pipeline,
    state: app.state,
    log,
    ...(tls !== null && { credentials: tls.credentials }),
    newRayId: uuidV7,
    jitter,
    helpBase: helpBaseOf(config),
    reflection: config.reflection,
    limits: grpcLimitsOf(config),
    incoming: app.incoming,
    scheduler: app.scheduler,
  })
  const measurements = keeper.aggregateMetrics(() => telemetry.snapshot())
  const http = await openHttpServer({ config, app, tls, log, metrics: async () => await expose(await measurements()) })
  let monitor: HealthMonitor
  let address = config.grpcListen
  let httpAddress = config.http?.listen ?? null
  try {
    monitor = await during('QSCOPE_DATABASE_URL', () => monitorHealth(app, log))
    await keeper.opened()
    const { port } = await server.start()
    address = { ...address, port }
    if (http !== null && httpAddress !== null) httpAddress = { ...httpAddress, port: (await http.start()).port }
  } catch (error) {
    // The secret of a client that is already stored must not be lost with the start.
    if (admin !== null) process.stdout.write(adminNotice(admin))
    await server.stop(0)
    await app.close()
    throw error
  }
  app.purge.start()
  app.keyRotation.start()
  const followed = followKeyringFile(config.keyringFile, keyring, log)
  keeper.reloadWith(async ({ parts, trustedIssuers }) => {
    if (parts.includes('TLS files')) await tls?.reload()
    if (parts.includes('keyring')) followed.reload()
    if (trustedIssuers !== null) await app.trustedIssuers.replace(trustedIssuers)
  })
  keeper.listening({ address, httpAddress, admin, needsAdmin: setUp.created && admin === null })

  const reason = await keeper.stopAsked
  log.info({ reason, graceMs: config.shutdownGraceMs }, 'stopping: running calls may finish')
  monitor.stop()
  tls?.stop()
  app.purge.stop()
  app.keyRotation.stop()
  followed.stop()
  await Promise.all([server.stop(config.shutdownGraceMs), http?.stop(config.shutdownGraceMs)])
  await app.close()
  await telemetry.close(LAST_SPANS_MS)
  log.info({}, 'stopped')
  log.flush()
}

/** Whether nobody on another machine can call. */
function isOnLoopback({ grpcListen, http }: Config): boolean {
  return isLoopback(grpcListen.host) && (http === null || isLoopback(http.listen.host))
}

/** A bug nobody caught: what is in memory can no longer be trusted. */
export function endOnAccident(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'uncaught exception')
    log.flush()
    process.stderr.write(`qscope: ended by a bug: ${printable(firstLineOf(error))}\n`)
    process.exit(1)
  })
}
