import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { freePort } from './free-port.ts'
import { makeGuardedDirectory } from './guarded-directory.ts'
import { accountInsteadOfRoot, installed } from './installed.ts'
import { type DatabaseServer, startServerProcess } from './server-process.ts'

const USER = 'qscope_test'
const PASSWORD = 'qscope_test'
/** Debian installs each version in its own directory. */
const DEBIAN = '/usr/lib/postgresql'

/** Starts a PostgreSQL server on a free loopback port. `null`: not installed. */
export async function startPostgres(more: Readonly<Record<string, string>> = {}): Promise<DatabaseServer | null> {
  const found = installed('postgres', debianDirectories())
  if (found === null) return null
  // The other programs are next to the program itself, not next to a link to it.
  const program = realpathSync(found)
  // PostgreSQL does not run as root.
  const account = accountInsteadOfRoot('postgres')
  const directory = makeGuardedDirectory('postgres', account)
  const data = join(directory.path, 'data')
  const as = { cwd: directory.path, ...(account === null ? {} : { uid: account.uid, gid: account.gid }) }
  const password = join(directory.path, 'password')
  writeFileSync(password, PASSWORD)
  const authentication = [
    '--username=postgres',
    `--pwfile=${password}`,
    '--auth=scram-sha-256',
    // `C` avoids the machine's locale.
    '--locale=C',
    '--encoding=UTF8',
    '--no-sync',
  ]
  execFileSync(join(dirname(program), 'initdb'), [`--pgdata=${data}`, ...authentication], { ...as, stdio: 'pipe' })
  // As recommended for operators, the user is not a superuser. It creates its own databases.
  execFileSync(program, ['--single', '-D', data, 'postgres'], {
    ...as,
    // It can drop databases that are in use, also by the server's own background processes.
    input: `create role ${USER} login createdb createrole password '${PASSWORD}'\ngrant pg_signal_backend to ${USER}\n`,
    stdio: 'pipe',
  })
  const port = await freePort()
  const url = `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/postgres`
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '300',
    shared_buffers: '64MB',
    ...more,
  }
  return startServerProcess({
    url,
    program,
    args: () => ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    account,
    directory,
    // SIGTERM would wait for all clients to disconnect.
    stopSignal: 'SIGINT',
    probe: () => connectOnce(url),
  })
}

async function connectOnce(url: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.end()
}

/** The newest version first. */
function debianDirectories(): string[] {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : []
  return versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(DEBIAN, version, 'bin'))
}
