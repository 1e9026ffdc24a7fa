/**
 * Process setup before the rest of the program is loaded, which takes most of the start time. This file must load fast.
 */
import { constants } from 'node:os'
import manifest from '../../package.json' with { type: 'json' }

const OLDEST_NODE = Number.parseInt(manifest.engines.node.replace('>=', ''), 10)

/** The reason why QScope cannot run on a Node.js version such as `v24.1.0`, in one line. `null`: it can. */
export function nodeVersionProblem(version: string): string | null {
  const major = Number.parseInt(version.replace('v', ''), 10)
  return major >= OLDEST_NODE ? null : `QScope needs Node.js ${OLDEST_NODE} or newer; this is ${version}`
}

/**
 * Lets SIGTERM and SIGINT end the first process of a container. The kernel applies
 * no signal's default action to the first process of a PID namespace, so a signal
 * would be lost until something listens. A command with a listener of its own
 * decides itself.
 */
export function exitOnSignalsAsFirstProcess(): void {
  if (process.pid !== 1) return
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal])
    })
  }
}

/**
 * Keeps SIGHUP and SIGUSR2 from ending a server while it loads: certificate managers
 * send SIGHUP at any time. The server reads its files later than that. Other commands
 * end with their terminal.
 */
export function ignoreReloadSignalsAsServer(args: readonly string[]): void {
  if (!isServer(args)) return
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined)
}

/**
 * Ends a command silently when the reader of its output has gone, such as `head -1`, with the exit code of a process
 * ended by SIGPIPE. Node.js ignores that signal and fails the next write instead.
 */
export function exitWhenNobodyReads(args: readonly string[]): void {
  if (isServer(args)) return
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if ('code' in error && error.code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE)
      throw error
    })
  }
}

function isServer(args: readonly string[]): boolean {
  return args.find((argument) => !argument.startsWith('-')) === 'serve'
}

/**
 * Keeps SIGUSR1 from opening the debugger: a debugger can read the secrets of the
 * process. The first line of `main.ts` turns the signal off; the listener does the
 * same where the file is run in another way. `--inspect` still opens the debugger.
 */
export function disableDebuggerSignal(): void {
  process.on('SIGUSR1', () => undefined)
}
