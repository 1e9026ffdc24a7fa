import type { Log } from '../log/create-log.ts'

/** Exit codes that shells give to processes ended by a signal. */
const SIGNAL_EXIT = Object.freeze({ SIGINT: 130, SIGTERM: 143 })

export type StopSignal = keyof typeof SIGNAL_EXIT

/**
 * Keeps signals that other services understand from ending this one undrained.
 * SIGHUP does nothing until somebody reloads at it: the files have just been read.
 */
export function outliveSignals(log: Log): void {
  process.on('SIGHUP', () => undefined)
  process.on('SIGUSR2', () => log.warn({ signal: 'SIGUSR2' }, 'the signal has no meaning here and is ignored'))
}

/** Resolves at the first signal; the second ends the process at once, after `atOnce`. */
export function stopSignal(log: Log, atOnce: () => void = () => undefined): Promise<StopSignal> {
  return new Promise((resolve) => {
    let asked = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (asked) {
          atOnce()
          log.flush()
          process.exit(SIGNAL_EXIT[signal])
        }
        asked = true
        resolve(signal)
      })
    }
  })
}
