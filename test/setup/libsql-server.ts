import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { makeGuardedDirectory } from './guarded-directory.ts'
import type { HranaServerOptions } from './hrana/server.ts'
import { type DatabaseServer, startServerProcess } from './server-process.ts'

const MAIN = join(import.meta.dirname, 'hrana', 'main.ts')

export interface LibsqlServer extends DatabaseServer {
  /** The directory of its files. */
  readonly directory: string
}

/** Starts a server for "Hrana over HTTP", by default with Turso's limits. `directory`: the files of another server to serve. */
export async function startLibsql(options: Partial<HranaServerOptions> = {}): Promise<LibsqlServer> {
  const directory = makeGuardedDirectory('libsql', null)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const all: HranaServerOptions = {
    token: null,
    transactionMs: 5_000,
    idleMs: 10_000,
    replica: null,
    lagMs: 2_000,
    directory: directory.path,
    ...options,
  }
  const server = await startServerProcess({
    url,
    program: process.execPath,
    args: () => [MAIN, String(port), JSON.stringify(all)],
    account: null,
    directory,
    stopSignal: 'SIGTERM',
    probe: async () => void (await fetch(`${url}/health`)),
  })
  return { ...server, directory: all.directory }
}
