import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GuardedDirectory } from './guarded-directory.ts'
import type { Account } from './installed.ts'
import { killTree } from './kill-tree.ts'

const START_MS = 60_000
const STOP_MS = 10_000
/** A start may fail while remains of a killed server are still in use. */
const LAUNCHES = 3

/** A database server of the tests. */
export interface DatabaseServer {
  /** Without a database, because tests create their own. */
  readonly url: string
  /** Kills it at once, like a power cut. */
  kill(): Promise<void>
  /** Starts it again with the same data and port. Resolves when it answers. */
  start(): Promise<void>
  /** Shuts it down and removes its data. */
  stop(): Promise<void>
}

export interface ServerProgram {
  readonly url: string
  readonly program: string
  /** Evaluated at each start. */
  readonly args: () => readonly string[] | Promise<readonly string[]>
  /** The account. `null`: that of the tests. */
  readonly account: Account | null
  /** Contains all of its files. */
  readonly directory: GuardedDirectory
  /** Shuts it down even with connected clients. */
  readonly stopSignal: NodeJS.Signals
  /** Throws until the server answers. */
  readonly probe: () => Promise<void>
  /** The time limit of a start. Default: one minute. */
  readonly patienceMs?: number
}

/** Starts a server. It is removed with its data, even if the test process crashes. */
export async function startServerProcess(server: ServerProgram): Promise<DatabaseServer> {
  const log = join(server.directory.path, 'server.log')
  let child: ChildProcess | null = null

  const launch = async () => {
    const args = await server.args()
    const output = openSync(log, 'a')
    const { program, account } = server
    const user = account === null ? {} : { uid: account.uid, gid: account.gid }
    const launched = spawn(program, args, {
      stdio: ['ignore', output, output],
      cwd: server.directory.path,
      ...user,
    })
    closeSync(output)
    server.directory.guard(launched.pid ?? null)
    return launched
  }
  const start = async () => {
    let launches = 0
    for (const until = Date.now() + (server.patienceMs ?? START_MS); ; await sleep(50)) {
      if (child === null || hasEnded(child)) {
        child = await launch()
        launches += 1
      }
      try {
        return await server.probe()
      } catch (error) {
        const isLost = hasEnded(child) && launches === LAUNCHES
        if (!isLost && Date.now() < until) continue
        const tail = readFileSync(log, 'utf8').split('\n').slice(-20).join('\n')
        throw new Error(`the test server did not start:\n${tail}`, { cause: error })
      }
    }
  }
  const kill = async () => {
    if (child === null || child.pid === undefined || hasEnded(child)) return
    const gone = ended(child)
    killTree(child.pid)
    await gone
    server.directory.guard(null)
  }
  const stop = async () => {
    if (child !== null && !hasEnded(child)) {
      const gone = ended(child)
      child.kill(server.stopSignal)
      await Promise.race([gone, sleep(STOP_MS, undefined, { ref: false })])
    }
    await kill()
    server.directory.remove()
  }

  try {
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  return { url: server.url, kill, start, stop }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function ended(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once('exit', resolve))
}
