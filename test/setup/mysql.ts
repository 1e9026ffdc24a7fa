import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { freePort } from './free-port.ts'
import { type GuardedDirectory, makeGuardedDirectory } from './guarded-directory.ts'
import { installed } from './installed.ts'
import { placesIn, TEST_USER_SQL, urlOfMysql } from './mysql-family.ts'
import { type DatabaseServer, startServerProcess } from './server-process.ts'

/** The directory of `scripts/install-mysql.sh`. */
const OWN_PROGRAMS = resolve(import.meta.dirname, '..', '..', '.cache', 'mysql', 'bin')

/** Little memory, and the durability of production: the binary log is on and flushed at each commit, as by default. */
const OPTIONS: readonly string[] = [
  '--bind-address=127.0.0.1',
  '--skip-name-resolve',
  '--mysqlx=OFF',
  '--innodb-buffer-pool-size=64M',
  '--innodb-redo-log-capacity=64M',
  '--max-connections=300',
]

/** A program of MySQL. MariaDB has programs with the same names. `null`: not installed. */
export function mysqlProgram(name: 'mysqld' | 'mysqldump'): string | null {
  const own = join(OWN_PROGRAMS, name)
  if (existsSync(own)) return own
  const other = installed(name)
  return other !== null && isOfMysql(other) ? other : null
}

function isOfMysql(program: string): boolean {
  return !/MariaDB/i.test(execFileSync(program, ['--no-defaults', '--version'], { encoding: 'utf8' }))
}

/** A server's files and their options. */
export interface MysqlInstallation {
  readonly program: string
  readonly directory: GuardedDirectory
  readonly options: readonly string[]
}

/**
 * Creates an empty server that runs `initSql` at each start. `null`: MySQL is not installed. With `like`, a server that was
 * not yet started, it copies the files, which is fast.
 */
export function installMysql(name: string, initSql: string, like: MysqlInstallation | null = null) {
  const program = mysqlProgram('mysqld')
  if (program === null) return null
  const directory = makeGuardedDirectory(name, null)
  // The server runs as root only if told so. Its directory stays ours.
  const asUser = process.getuid?.() === 0 ? ['--user=root'] : []
  const options = ['--no-defaults', ...asUser, ...OPTIONS, ...placesIn(directory.path)]
  if (like === null) execFileSync(program, [...options, '--initialize-insecure'], { stdio: 'pipe' })
  else copyFiles(like.directory.path, directory.path)
  const init = join(directory.path, 'init.sql')
  writeFileSync(init, initSql)
  return { program, directory, options: [...options, `--init-file=${init}`] } satisfies MysqlInstallation
}

/** Without the files that identify the server, which it creates again. */
function copyFiles(from: string, to: string): void {
  cpSync(join(from, 'data'), join(to, 'data'), {
    recursive: true,
    filter: (path) => !path.endsWith(join('data', 'auto.cnf')),
  })
}

/** Starts a MySQL server on a free loopback port. `null`: not installed. */
export async function startMysql(more: readonly string[] = []): Promise<DatabaseServer | null> {
  const installation = installMysql('mysql', TEST_USER_SQL)
  if (installation === null) return null
  const { program, directory, options } = installation
  const port = await freePort()
  const url = urlOfMysql(port)
  return startServerProcess({
    url,
    program,
    args: () => [...options, `--port=${port}`, ...more],
    account: null,
    directory,
    stopSignal: 'SIGTERM',
    probe: async () => (await createConnection(url)).end(),
  })
}
