import { constants } from 'node:os'

/**
 * Spares a container its runtime's patience: to the first process of a PID
 * namespace, the kernel applies no signal's default action, so that SIGTERM
 * would be lost until something listens. A command that listens decides itself.
 */
export function endOnSignalsAsFirstProcess(): void {
  if (process.pid !== 1) return
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal])
    })
  }
}
