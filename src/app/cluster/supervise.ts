import type { Config } from '../../config/config.ts'
import { drawFingerprintKey } from '../../crypto/fingerprints.ts'
import type { Log } from '../../log/create-log.ts'
import { printStartupBanner } from '../announce.ts'
import { onHangUp, readAgain } from '../reload.ts'
import type { SetUp } from '../set-up.ts'
import { adminNotice } from '../startup-banner.ts'
import { stopSignal } from '../stop-signals.ts'
import { WorkerPool } from './worker-pool.ts'

/** Beyond the grace, for closing what is open; a worker that needs longer hangs. */
const CLOSING_MS = 5_000

/**
 * Serves through workers, on a database that is set up, until a signal asks to
 * stop; resolves when all have drained. Throws an error of one line if they
 * cannot start, or end as fast as they are replaced.
 */
export async function supervise(config: Config, log: Log, setUp: SetUp): Promise<void> {
  const workers = new WorkerPool({ config, log, fingerprintKey: drawFingerprintKey() })
  onHangUp(async () => {
    const reload = await readAgain(config, log)
    workers.reload(reload)
    log.info({ parts: reload.parts }, 'reloaded')
  })
  const stopAsked = stopSignal(log, () => workers.kill())
  const admin = setUp.created ? setUp.admin : null
  try {
    const address = await workers.start()
    printStartupBanner(config, log, {
      address,
      httpAddress: config.http?.listen ?? null,
      admin,
      needsAdmin: setUp.created && admin === null,
    })
  } catch (error) {
    workers.kill()
    // The secret of a client that is already stored must not be lost with the start.
    if (admin !== null) process.stdout.write(adminNotice(admin))
    throw error
  }
  const crashLoop = workers.crashLoop.then((problem) => new Error(problem))
  const end = await Promise.race([stopAsked, crashLoop])
  log.info({ reason: end instanceof Error ? end.message : end }, 'stopping the workers')
  await workers.stop(config.shutdownGraceMs + CLOSING_MS)
  log.info({}, 'stopped')
  log.flush()
  if (end instanceof Error) throw end
}
