import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { benchDirectory } from '../directory.ts'
import { freePort } from '../free-port.ts'
import { NotAvailable } from '../not-available.ts'
import type { TokenSql } from '../seed/token-columns.ts'
import type { BenchDatabase, BulkConnection } from './bench-database.ts'
import { installedProgram } from './installed-program.ts'
import { startDatabaseServer } from './server-process.ts'

const USER = 'qscope_bench'

/** Flushes at every commit, which is the default. */
const SETTINGS = Object.freeze({
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '300',
  shared_buffers: '1GB',
  max_wal_size: '4GB',
})

const tokenSql: TokenSql = Object.freeze({
  hex: (expression: string, digits: number) => `lpad(to_hex(${expression}), ${digits}, '0')`,
  hash: `decode(md5(random()::text) || md5(random()::text), 'hex')`,
  numbers: (from: number, to: number) => `generate_series(${from}::bigint, ${to - 1}::bigint) as n(i)`,
  text: (expression: string) => `(${expression})::text`,
})

/** Starts a PostgreSQL server for the benchmark. Throws `NotAvailable` if it is not installed. */
export async function openPostgres(root: string): Promise<BenchDatabase> {
  const found = installedProgram('postgres')
  if (found === null) throw new NotAvailable('PostgreSQL is not installed')
  const program = realpathSync(found)
  const directory = benchDirectory(root, 'postgres')
  // PostgreSQL does not run as root.
  const account = accountInsteadOfRoot()
  if (account !== null) chownSync(directory, account.uid, account.gid)
  const data = join(directory, 'data')
  if (!existsSync(data)) {
    const options = [`--pgdata=${data}`, `--username=${USER}`, '--auth=trust', '--locale=C', '--encoding=UTF8']
    execFileSync(join(dirname(program), 'initdb'), options, { cwd: directory, stdio: 'pipe', ...account })
  }
  const port = await freePort()
  const urlOf = (name: string) => `postgres://${USER}@127.0.0.1:${port}/${name}`
  const settings = Object.entries({ ...SETTINGS, port: String(port) })
  const server = await startDatabaseServer({
    program,
    args: ['-D', data, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    directory,
    account,
    // SIGTERM would wait for all clients to disconnect.
    stopSignal: 'SIGINT',
    probe: async () => (await connected(urlOf('postgres'))).end(),
  })
  const admin = await connected(urlOf('postgres'))
  const { rows } = await admin.query<{ readonly server_version: string }>('show server_version')
  const databaseOf = (dataset: string) => `qscope_bench_${dataset}`
  return {
    name: 'postgres',
    version: `PostgreSQL ${rows[0]?.server_version.split(' ')[0] ?? ''}`,
    pid: server.pid,
    urlOf: (dataset) => urlOf(databaseOf(dataset)),
    create: async (dataset) => {
      await admin.query(`drop database if exists ${databaseOf(dataset)} with (force)`)
      await admin.query(`create database ${databaseOf(dataset)}`)
    },
    connect: async (dataset) => await bulkConnection(urlOf(databaseOf(dataset))),
    stop: async () => {
      await admin.end()
      await server.stop()
    },
  }
}

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  await client.connect()
  return client
}

async function bulkConnection(url: string): Promise<BulkConnection> {
  const client = await connected(url)
  await client.query('set synchronous_commit = off')
  // Foreign keys are triggers, which do not fire on a replica.
  await client.query('set session_replication_role = replica')
  return {
    tokenSql,
    run: async (sql) => void (await client.query(sql)),
    runAll: async (sql, rows) => {
      const numbered = sql.split('?').reduce((text, part, place) => `${text}$${place}${part}`)
      await client.query('begin')
      for (const row of rows) await client.query(numbered, [...row])
      await client.query('commit')
    },
    dropIndexes: async (table) => {
      const { rows } = await client.query<{ readonly name: string; readonly sql: string }>(
        `select indexname as name, indexdef as sql from pg_indexes
         where tablename = $1 and schemaname = current_schema() and indexname not in
           (select conname from pg_constraint where contype in ('p', 'u'))`,
        [table],
      )
      for (const { name } of rows) await client.query(`drop index ${name}`)
      return rows.map((row) => row.sql)
    },
    close: async () => {
      // Updates the planner's statistics and the visibility map, as in a database that has run for a while.
      await client.query('vacuum analyze')
      await client.end()
    },
  }
}

function accountInsteadOfRoot(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const id = (option: string) => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
