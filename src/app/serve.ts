import { fileURLToPath } from 'node:url'
import type { Config } from '../config/config.ts'
import type { Log } from '../log/create-log.ts'
import { drawFingerprintKey } from '../rate-limits/counter-sync.ts'
import type { Lifecycle, Reload, StartReport } from './cluster/lifecycle.ts'
import type { ProcessMetrics } from './cluster/metrics-aggregation.ts'
import { WorkerPool } from './cluster/worker-pool.ts'
import { type DatabaseSetup, setUpDatabase } from './database-setup.ts'
import { openKeyring } from './keyring.ts'
import { assertPortFree } from './listeners.ts'
import { prepareReload } from './reload.ts'
import { isOnLoopback, namingVariable, runServer } from './server.ts'
import { exitOnUncaughtException, ignoreOtherSignals, onHangUp, stopSignal } from './signals.ts'
import { printAdminSecret, printStartupBanner } from './startup-banner.ts'
import { TlsFiles } from './tls-files.ts'
import { assertIssuerKeyFiles } from './trusted-issuers.ts'

/** Sources run as they are, and compiled once packed: the worker's file is the neighbour of the same kind. */
const WORKER_ENTRY = new URL(`./worker-process.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)

/** Workers get this long beyond the grace to close what is open; one that needs longer hangs. */
const CLOSING_MS = 5_000

/**
 * Does what is done once, however many processes serve. Then serves until a signal
 * asks it to stop, alone or through workers; resolves when all have drained. Throws
 * an error of one line if it cannot start.
 */
export async function serve(config: Config, log: Log): Promise<void> {
  exitOnUncaughtException(log)
  ignoreOtherSignals(log)
  // Checked before a secret is drawn that would be shown only once.
  const grpcListen = await assertPortFree('QSCOPE_GRPC_LISTEN', config.grpcListen)
  const http = config.http && {
    ...config.http,
    listen: await assertPortFree('QSCOPE_HTTP_LISTEN', config.http.listen),
  }
  const tls = config.tls === null ? null : await TlsFiles.open(config.tls, log)
  await assertIssuerKeyFiles(config)
  const keyring = await namingVariable('QSCOPE_DATABASE_URL', () => openKeyring(config, log))
  const setup = await namingVariable('QSCOPE_DATABASE_URL', () =>
    setUpDatabase(config, log, keyring, { withAdmin: isOnLoopback(config) }),
  )
  const bound = { ...config, grpcListen, http }
  if (config.workers > 1) {
    tls?.stop()
    await serveThroughWorkers(bound, log, setup)
  } else await runServer(bound, log, new StandaloneLifecycle(bound, log), { tls, keyring, setup })
}

/** A server in one process, started and stopped by its operator. */
class StandaloneLifecycle implements Lifecycle {
  readonly stopRequested: Promise<string>
  readonly #config: Config
  readonly #log: Log

  constructor(config: Config, log: Log) {
    this.#config = config
    this.#log = log
    this.stopRequested = stopSignal(log)
  }

  async readyToListen(): Promise<void> {
    // Nobody else has to be ready.
  }

  onListening(report: StartReport): void {
    printStartupBanner(this.#config, this.#log, report)
  }

  onReload(apply: (reload: Reload) => Promise<void>): void {
    reloadOnHangUp(this.#config, this.#log, apply)
  }

  aggregateMetrics(own: () => Promise<ProcessMetrics>): () => Promise<readonly ProcessMetrics[]> {
    return async () => [await own()]
  }
}

/**
 * Serves through workers, on a database that is set up, until a signal asks to
 * stop; resolves when all have drained. Throws an error of one line if they
 * cannot start, or end as fast as they are replaced.
 */
async function serveThroughWorkers(config: Config, log: Log, setup: DatabaseSetup): Promise<void> {
  const entry = fileURLToPath(WORKER_ENTRY)
  const workers = new WorkerPool({ entry, config, log, fingerprintKey: drawFingerprintKey() })
  reloadOnHangUp(config, log, async (reload) => workers.reload(reload))
  const stopRequested = stopSignal(log, () => workers.kill())
  const admin = setup.created ? setup.admin : null
  try {
    const address = await workers.start()
    const httpAddress = config.http?.listen ?? null
    const needsAdmin = setup.created && admin === null
    printStartupBanner(config, log, { address, httpAddress, admin, needsAdmin })
  } catch (error) {
    workers.kill()
    printAdminSecret(admin)
    throw error
  }
  const crashLoop = workers.crashLoop.then((problem) => new Error(problem))
  const end = await Promise.race([stopRequested, crashLoop])
  log.info({ reason: end instanceof Error ? end.message : end }, 'stopping the workers')
  await workers.stop(config.shutdownGraceMs + CLOSING_MS)
  log.info({}, 'stopped')
  log.flush()
  if (end instanceof Error) throw end
}

/** Reads the files of the configuration again at each SIGHUP, and applies what can be used. */
function reloadOnHangUp(config: Config, log: Log, apply: (reload: Reload) => Promise<void>): void {
  onHangUp(async () => {
    const reload = await prepareReload(config, log)
    await apply(reload)
    log.info({ parts: reload.parts }, 'reloaded')
  })
}
