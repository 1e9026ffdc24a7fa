import type { Log } from '../log/create-log.ts'

/** Exit codes that shells give to processes ended by a signal. */
const SIGNAL_EXIT = Object.freeze({ SIGINT: 130, SIGTERM: 143 })

export type StopSignal = keyof typeof SIGNAL_EXIT

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
