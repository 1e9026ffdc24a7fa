import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'

const USER = 'qscope_test'
const PASSWORD = 'qscope_test'
const START_MS = 60_000

export interface MariaDb {
  /** Without a database: tests make their own. */
  readonly url: string
  stop(): Promise<void>
}

/** Starts a MariaDB server of its own on a free loopback port; `null` if none is installed. */
export async function startMariaDb(): Promise<MariaDb | null> {
  const server = installed('mariadbd') ?? installed('mysqld')
  const installer = installed('mariadb-install-db') ?? installed('mysql_install_db')
  if (server === null || installer === null) return null
  const directory = mkdtempSync(join(tmpdir(), 'qscope-mariadb-'))
  // Run by root, the server wants to be told so; its directory stays ours.
  const asUser = process.getuid?.() === 0 ? ['--user=root'] : []
  const data = join(directory, 'data')
  const log = join(directory, 'server.log')
  chmodSync(directory, 0o755)
  execFileSync(
    installer,
    ['--no-defaults', ...asUser, `--datadir=${data}`, '--auth-root-authentication-method=normal'],
    {
      stdio: 'ignore',
    },
  )
  const init = join(directory, 'init.sql')
  writeFileSync(init, `CREATE USER '${USER}'@'%' IDENTIFIED BY '${PASSWORD}';\nGRANT ALL ON *.* TO '${USER}'@'%';\n`)
  const port = await freePort()
  const output = openSync(log, 'a')
  const child = spawn(
    server,
    [
      '--no-defaults',
      ...asUser,
      `--datadir=${data}`,
      `--socket=${join(directory, 'socket')}`,
      `--pid-file=${join(directory, 'pid')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      `--init-file=${init}`,
      '--innodb-buffer-pool-size=64M',
      '--innodb-log-file-size=32M',
      '--max-connections=300',
    ],
    { stdio: ['ignore', output, output] },
  )
  // Also on Ctrl-C, when nobody waits for an orderly end.
  const kill = () => {
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  process.once('exit', kill)
  const stop = async () => {
    process.removeListener('exit', kill)
    await terminate(child)
    rmSync(directory, { recursive: true, force: true })
  }
  const url = `mysql://${USER}:${PASSWORD}@127.0.0.1:${port}/`
  try {
    await answering(url, child)
  } catch (error) {
    const tail = readFileSync(log, 'utf8').split('\n').slice(-20).join('\n')
    await stop()
    throw new Error(`the test server did not start:\n${tail}`, { cause: error })
  }
  return { url, stop }
}

function installed(name: string): string | null {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path)) ?? null
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  for (const until = Date.now() + START_MS; ; ) {
    try {
      const connection = await createConnection(url)
      await connection.end()
      return
    } catch (error) {
      if (child.exitCode !== null || Date.now() > until) throw error
      await sleep(100)
    }
  }
}

async function terminate(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await Promise.race([gone, sleep(10_000, undefined, { ref: false })])
  child.kill('SIGKILL')
}
