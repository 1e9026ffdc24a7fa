import { helpBaseOf, openApp, openAppKeyring } from '../app.ts'
import { formatAddress, isLoopback } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import { maskUrl } from '../config/database-url.ts'
import { uuidV7 } from '../crypto/random.ts'
import { createGrpcServer } from '../grpc/server.ts'
import type { Log } from '../log/create-log.ts'
import { grpcLimitsOf } from './grpc-limits.ts'
import { type HealthMonitor, monitorHealth } from './health-monitor.ts'
import { insistOnFreePort } from './insist-on-free-port.ts'
import { followKeyringFile } from './keyring-reload.ts'
import { openHttpServer } from './open-http-server.ts'
import { seedInMemory, setUpDatabase } from './set-up.ts'
import { openTlsFiles } from './tls-files.ts'
import { adminNotice, welcome } from './welcome.ts'

/** Exit codes that shells give to processes ended by a signal. */
const SIGNAL_EXIT = Object.freeze({ SIGINT: 130, SIGTERM: 143 })

/**
 * Runs the server until a signal asks it to stop; resolves when it has drained.
 * Throws an error of one line if it cannot start.
 */
export async function serve(config: Config, log: Log): Promise<void> {
  endOnAccident(log)
  // Found out before a secret is drawn that would be shown only once.
  await insistOnFreePort('gRPC', config.grpcListen)
  if (config.http !== null) await insistOnFreePort('HTTP', config.http.listen)
  const tls = config.tls === null ? null : await openTlsFiles(config.tls, log)
  const keyring = await openAppKeyring(config, log)
  const loopback = [config.grpcListen, config.http?.listen].every((each) => each === undefined || isLoopback(each.host))
  const setUp = await setUpDatabase(config, log, keyring, { withAdmin: loopback })
  const app = await openApp(config, log, keyring)
  const inMemory = config.database.embedded && config.database.file === null
  const admin = setUp.created ? setUp.admin : inMemory && loopback ? await seedInMemory(app, log) : null
  const server = createGrpcServer({
    listen: formatAddress(config.grpcListen),
    pipeline: app.pipeline,
    state: app.state,
    log,
    ...(tls !== null && { credentials: tls.credentials }),
    newRayId: uuidV7,
    helpBase: helpBaseOf(config),
    reflection: config.reflection,
    limits: grpcLimitsOf(config),
  })
  const http = openHttpServer(config, app, tls, log)
  const stopAsked = signalled(log)
  let monitor: HealthMonitor
  let address = formatAddress(config.grpcListen)
  let httpAddress: string | null = null
  try {
    monitor = await monitorHealth(app, log)
    const { port } = await server.start()
    address = formatAddress({ host: config.grpcListen.host, port })
    if (http !== null && config.http !== null) {
      httpAddress = formatAddress({ host: config.http.listen.host, port: (await http.start()).port })
    }
  } catch (error) {
    // The secret of a client that is already stored must not be lost with the start.
    if (admin !== null) process.stdout.write(adminNotice(admin))
    await server.stop(0)
    await app.close()
    throw error
  }
  app.purge.start()
  app.keyRotation.start()
  const stopFollowing = followKeyringFile(config.keyringFile, keyring, log)
  const { issuer } = config
  log.info({ address, httpAddress, tls: tls !== null, database: maskUrl(config.database.url), issuer }, 'listening')
  process.stdout.write(welcome({ address, httpAddress, config, admin, needsAdmin: setUp.created && admin === null }))

  const signal = await stopAsked
  log.info({ signal, graceMs: config.shutdownGraceMs }, 'stopping: running calls may finish')
  monitor.stop()
  tls?.stop()
  app.purge.stop()
  app.keyRotation.stop()
  stopFollowing()
  await Promise.all([server.stop(config.shutdownGraceMs), http?.stop(config.shutdownGraceMs)])
  await app.close()
  log.info({}, 'stopped')
  log.flush()
}

/** Resolves at the first signal; the second ends the process at once. */
function signalled(log: Log): Promise<keyof typeof SIGNAL_EXIT> {
  return new Promise((resolve) => {
    let asked = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (asked) {
          log.flush()
          process.exit(SIGNAL_EXIT[signal])
        }
        asked = true
        resolve(signal)
      })
    }
  })
}

/** A bug nobody caught: what is in memory can no longer be trusted. */
function endOnAccident(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'uncaught exception')
    log.flush()
    process.stderr.write(`qscope: ended by a bug: ${error.message.split('\n', 1).join('')}\n`)
    process.exit(1)
  })
}
