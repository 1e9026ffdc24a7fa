import type { Log } from '../log/create-log.ts'
import { firstLineOf } from '../message-of.ts'
import { printable } from '../printable.ts'

/** The exit codes of shells for processes that a signal ended. */
const SIGNAL_EXIT = Object.freeze({ SIGINT: 130, SIGTERM: 143 })

export type StopSignal = keyof typeof SIGNAL_EXIT

/**
 * Prevents signals that reload other services from ending this one without draining. SIGHUP has no effect until `onHangUp`,
 * because the files have just been read.
 */
export function ignoreOtherSignals(log: Log): void {
  process.on('SIGHUP', () => undefined)
  process.on('SIGUSR2', () => log.warn({ signal: 'SIGUSR2' }, 'signal ignored'))
}

/** Resolves at the first signal that requests a stop. The second one ends the process at once, after `beforeExit`. */
export function stopSignal(log: Log, beforeExit: () => void = () => undefined): Promise<StopSignal> {
  return new Promise((resolve) => {
    let stopping = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (stopping) {
          beforeExit()
          log.flush()
          process.exit(SIGNAL_EXIT[signal])
        }
        stopping = true
        resolve(signal)
      })
    }
  })
}

/** Calls `reload` at each SIGHUP. Calls do not overlap. Signals during a call cause one more. */
export function onHangUp(reload: () => Promise<void>): void {
  let running = false
  let requested = false
  const run = async () => {
    running = true
    while (requested) {
      requested = false
      await reload()
    }
    running = false
  }
  process.on('SIGHUP', () => {
    requested = true
    if (!running) void run()
  })
}

/** Ends the process on an uncaught exception, because the state in memory can no longer be trusted. */
export function exitOnUncaughtException(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'uncaught exception')
    log.flush()
    process.stderr.write(`qscope: ended by a bug: ${printable(firstLineOf(error))}\n`)
    process.exit(1)
  })
}
