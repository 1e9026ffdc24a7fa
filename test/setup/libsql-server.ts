import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { makeGuardedDirectory } from './guarded-directory.ts'
import type { HranaServerOptions } from './hrana/server.ts'
import { type DatabaseServer, startServerProcess } from './server-process.ts'

const MAIN = join(import.meta.dirname, 'hrana', 'main.ts')

/** Starts a server that speaks "Hrana over HTTP", with the limits of Turso unless others are given. */
export async function startLibsql(
  options: Partial<Omit<HranaServerOptions, 'directory'>> = {},
): Promise<DatabaseServer> {
  const directory = makeGuardedDirectory('libsql', null)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const all: HranaServerOptions = {
    token: null,
    transactionMs: 5_000,
    idleMs: 10_000,
    replica: null,
    lagMs: 2_000,
    ...options,
    directory: directory.path,
  }
  return await startServerProcess({
    url,
    program: process.execPath,
    args: () => [MAIN, String(port), JSON.stringify(all)],
    account: null,
    directory,
    stopSignal: 'SIGTERM',
    probe: async () => void (await fetch(`${url}/health`)),
  })
}
