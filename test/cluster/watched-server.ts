import { HealthMonitor } from '../../src/app/health-monitor.ts'
import { startServer } from '../setup/server.ts'
import { quiet } from '../stores/given.ts'

/** The default of `QSCOPE_DATABASE_HEALTH_INTERVAL`. */
export const HEALTH_INTERVAL_MS = 1_000

/** An instance that checks its database continuously, as `qscope serve` does. */
export async function startWatchedServer(...args: Parameters<typeof startServer>) {
  const server = await startServer(...args)
  const monitor = new HealthMonitor(server.app, quiet, HEALTH_INTERVAL_MS)
  await monitor.start()
  const stop = async () => {
    monitor.stop()
    await server.stop()
  }
  return { ...server, stop }
}
