import { fileURLToPath } from 'node:url'
import type { Config } from '../config/config.ts'
import { readTrustedIssuers } from '../config/trusted-issuers.ts'
import type { Logger } from '../context.ts'
import { readKeyringFile } from '../crypto/keyring-file.ts'
import type { TrustedIssuer } from '../domain/trusted-issuer.ts'
import type { Log } from '../log/create-log.ts'
import { messageOf } from '../message-of.ts'
import { neighbour } from '../neighbour.ts'
import { drawFingerprintKey } from '../rate-limits/counter-sync.ts'
import { claimSocketPath } from '../transports/unix-socket-file.ts'
import type { Lifecycle, Reload, ReloadedPart, StartReport } from './cluster/lifecycle.ts'
import type { ProcessMetrics } from './cluster/metrics-aggregation.ts'
import { WorkerPool } from './cluster/worker-pool.ts'
import { type DatabaseSetup, setUpDatabase } from './database-setup.ts'
import { openKeyring } from './keyring.ts'
import { assertPortFree } from './listeners.ts'
import { isOnLoopback, namingVariable, runServer, type ServerDependencies } from './server.ts'
import { exitOnUncaughtException, ignoreOtherSignals, onHangUp, stopSignal } from './signals.ts'
import { printAdminSecret, printStartupBanner } from './startup-banner.ts'
import { assertIssuerKeyFiles } from './trust/issuer-problems.ts'
import { assertUsable, readTlsFiles, TlsFiles } from './trust/tls-files.ts'

const WORKER_ENTRY = neighbour(import.meta.url, 'worker-process')

/** The time beyond the grace period in which workers close their resources. A worker that needs longer counts as hanging. */
const CLOSING_MS = 5_000

/**
 * Prepares everything that is done once for all processes. Then serves until a signal requests a stop, alone or with workers.
 * Resolves when all have drained. Throws an error of one line if it cannot start. `seeding`: for an in-memory database, which
 * has one process.
 */
export async function serve(config: Config, log: Log, seeding: Pick<ServerDependencies, 'seed'> = {}): Promise<void> {
  exitOnUncaughtException(log)
  ignoreOtherSignals(log)
  // Checked before a secret is generated that would be shown only once.
  const grpcListen = await assertPortFree('QSCOPE_GRPC_LISTEN', config.grpcListen)
  const http = config.http && {
    ...config.http,
    listen: await assertPortFree('QSCOPE_HTTP_LISTEN', config.http.listen),
  }
  await prepareSockets(config.sockets)
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
  } else await runServer(bound, log, new StandaloneLifecycle(bound, log), { tls, keyring, setup, ...seeding })
}

/**
 * Frees the paths of the sockets, and restricts access to the sockets to their mode. Throws an error of one
 * line if a path cannot be used.
 */
async function prepareSockets({ grpc, http }: Config['sockets']): Promise<void> {
  if (grpc !== null) await namingVariable('QSCOPE_GRPC_SOCKET', () => claimSocketPath(grpc.path))
  if (http !== null) await namingVariable('QSCOPE_HTTP_SOCKET', () => claimSocketPath(http.path))
  for (const socket of [grpc, http]) if (socket !== null) narrowUmask(socket.mode)
}

/**
 * Sets the umask of this process, and of those that it starts, so that new files are not more accessible than a socket.
 * Without it, an excluded user could connect between `bind` and `chmod`.
 */
function narrowUmask(mode: number): void {
  process.umask(process.umask() | (0o666 & ~mode))
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
    // There are no other processes to wait for.
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
 * Serves with workers on a prepared database until a signal requests a stop. Resolves when all have drained. Throws an error
 * of one line if the workers cannot start, or end as fast as they are replaced.
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

/** Reads the files of the configuration at each SIGHUP and applies the valid ones. */
function reloadOnHangUp(config: Config, log: Log, apply: (reload: Reload) => Promise<void>): void {
  onHangUp(async () => {
    const reload = await prepareReload(config, log)
    await apply(reload)
    log.info({ parts: reload.parts }, 'reloaded')
  })
}

/**
 * Reads the files of the configuration again. An invalid file is logged in one line and omitted, so that its previous content
 * stays in use.
 */
async function prepareReload(config: Config, log: Logger): Promise<Reload> {
  const parts: ReloadedPart[] = []
  let trustedIssuers: readonly TrustedIssuer[] | null = null
  const attempt = async (part: ReloadedPart, read: () => Promise<void>) => {
    try {
      await read()
      parts.push(part)
    } catch (error) {
      log.error({ part, problem: messageOf(error) }, `the ${part} cannot be reloaded; the previous state stays in use`)
    }
  }
  const { tls, keyringFile, trustedIssuersFile } = config
  if (tls !== null) await attempt('TLS files', async () => assertUsable(await readTlsFiles(tls), tls))
  if (keyringFile !== null) {
    await attempt('keyring', async () => {
      if (readKeyringFile(keyringFile) === null)
        throw new Error(`the keyring file ${keyringFile} does not exist any more`)
    })
  }
  if (trustedIssuersFile !== null) {
    await attempt('trusted issuers', async () => {
      const { issuers, problems } = readTrustedIssuers(trustedIssuersFile, config.issuer)
      if (problems.length > 0) throw new Error(`${trustedIssuersFile}: ${problems.join('; ')}`)
      await assertIssuerKeyFiles({ ...config, trustedIssuers: issuers })
      trustedIssuers = issuers
    })
  }
  return { parts, trustedIssuers }
}
