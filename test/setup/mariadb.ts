import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { freePort } from './free-port.ts'
import { makeGuardedDirectory } from './guarded-directory.ts'
import { installed } from './installed.ts'
import { placesIn, TEST_USER_SQL, urlOfMysql } from './mysql-family.ts'
import { type DatabaseServer, startServerProcess } from './server-process.ts'

/** Little memory, and the durability of production. */
export const MARIADB_OPTIONS: readonly string[] = [
  '--bind-address=127.0.0.1',
  '--skip-name-resolve',
  '--innodb-buffer-pool-size=64M',
  '--innodb-log-file-size=32M',
  '--max-connections=300',
]

export interface MariaDbBinaries {
  readonly server: string
  readonly installer: string
}

export function mariaDbBinaries(): MariaDbBinaries | null {
  const server = installed('mariadbd')
  const installer = installed('mariadb-install-db')
  return server === null || installer === null ? null : { server, installer }
}

/** Starts a MariaDB server on a free loopback port. `null`: not installed. */
export async function startMariaDb(more: readonly string[] = []): Promise<DatabaseServer | null> {
  const binaries = mariaDbBinaries()
  if (binaries === null) return null
  const directory = makeGuardedDirectory('mariadb', null)
  // The server runs as root only if told so. Its directory stays ours.
  const asUser = process.getuid?.() === 0 ? ['--user=root'] : []
  const init = installMariaDb(binaries, directory.path, asUser)
  const port = await freePort()
  const url = urlOfMysql(port)
  return startServerProcess({
    url,
    program: binaries.server,
    args: () => [
      '--no-defaults',
      ...asUser,
      ...MARIADB_OPTIONS,
      ...placesIn(directory.path),
      `--init-file=${init}`,
      `--port=${port}`,
      ...more,
    ],
    account: null,
    directory,
    stopSignal: 'SIGTERM',
    probe: async () => (await createConnection(url)).end(),
  })
}

/** Creates an empty data directory. Returns SQL that creates the test user at the start. */
export function installMariaDb({ installer }: MariaDbBinaries, directory: string, asUser: readonly string[]): string {
  const init = join(directory, 'init.sql')
  const options = ['--auth-root-authentication-method=normal', ...placesIn(directory)]
  execFileSync(installer, ['--no-defaults', ...asUser, ...options], { stdio: 'pipe' })
  writeFileSync(init, TEST_USER_SQL)
  return init
}
