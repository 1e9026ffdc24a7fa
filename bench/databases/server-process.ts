import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_MS = 120_000
const POLL_MS = 100

export interface ServerProcess {
  readonly pid: number
  /** Shuts it down. Its data stays. */
  stop(): Promise<void>
}

interface Program {
  readonly program: string
  readonly args: readonly string[]
  /** The directory of its files. */
  readonly directory: string
  /** The account if the benchmark runs as root. */
  readonly account: { readonly uid: number; readonly gid: number } | null
  /** Shuts it down even with connected clients. */
  readonly stopSignal: NodeJS.Signals
  /** Throws until it answers. */
  readonly probe: () => Promise<void>
}

/** Starts a database server on existing data. */
export async function startDatabaseServer(options: Program): Promise<ServerProcess> {
  const log = join(options.directory, 'server.log')
  const output = openSync(log, 'w')
  const child = spawn(options.program, options.args, {
    stdio: ['ignore', output, output],
    cwd: options.directory,
    ...options.account,
  })
  closeSync(output)
  const stopAtExit = () => void child.kill(options.stopSignal)
  process.once('exit', stopAtExit)
  await answering(child, options.probe, log)
  return {
    pid: child.pid ?? 0,
    stop: async () => {
      process.off('exit', stopAtExit)
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill(options.stopSignal)
      await gone
    },
  }
}

async function answering(child: ChildProcess, probe: () => Promise<void>, log: string): Promise<void> {
  for (const until = Date.now() + START_MS; ; await sleep(POLL_MS)) {
    try {
      return await probe()
    } catch (error) {
      if (child.exitCode === null && Date.now() < until) continue
      const tail = readFileSync(log, 'utf8').split('\n').slice(-20).join('\n')
      throw new Error(`the database server did not start:\n${tail}`, { cause: error })
    }
  }
}
