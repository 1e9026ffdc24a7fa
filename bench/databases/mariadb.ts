import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Connection, createConnection } from 'mysql2/promise'
import { benchDirectory } from '../directory.ts'
import { freePort } from '../free-port.ts'
import { NotAvailable } from '../not-available.ts'
import type { TokenSql } from '../seed/token-columns.ts'
import type { BenchDatabase, BulkConnection } from './bench-database.ts'
import { installedProgram } from './installed-program.ts'
import { startDatabaseServer } from './server-process.ts'

const USER = 'qscope_bench'
const PASSWORD = 'qscope_bench'

/** As durable as in production (flush at every commit), with a pool that holds what one machine usually gives. */
const SETTINGS = Object.freeze([
  '--bind-address=127.0.0.1',
  '--skip-name-resolve',
  '--innodb-buffer-pool-size=1G',
  '--innodb-log-file-size=512M',
  '--innodb-flush-log-at-trx-commit=1',
  // Of indexes that are built: for the seed.
  '--innodb-sort-buffer-size=64M',
  '--max-connections=300',
])

const tokenSql: TokenSql = Object.freeze({
  hex: (expression: string, digits: number) => `lpad(lower(hex(${expression})), ${digits}, '0')`,
  hash: 'random_bytes(32)',
  numbers: (from: number, to: number) => `(select seq as i from seq_${from}_to_${to - 1}) n`,
  text: (expression: string) => `(${expression})`,
})

/** A MariaDB server of the benchmark's own; throws `NotAvailable` where none is installed. */
export async function openMariaDb(root: string): Promise<BenchDatabase> {
  const program = installedProgram('mariadbd', 'mysqld')
  const installer = installedProgram('mariadb-install-db', 'mysql_install_db')
  if (program === null || installer === null) throw new NotAvailable('MariaDB is not installed')
  const directory = benchDirectory(root, 'mariadb')
  chmodSync(directory, 0o755)
  const data = join(directory, 'data')
  const asUser = process.getuid?.() === 0 ? ['--user=root'] : []
  if (!existsSync(data)) {
    const options = ['--no-defaults', ...asUser, `--datadir=${data}`, '--auth-root-authentication-method=normal']
    execFileSync(installer, options, { stdio: 'ignore' })
  }
  const init = join(directory, 'init.sql')
  const account = `'${USER}'@'%'`
  const grant = `GRANT ALL ON *.* TO ${account} WITH GRANT OPTION`
  writeFileSync(init, `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${PASSWORD}';\n${grant};\n`)
  const port = await freePort()
  const urlOf = (name: string) => `mysql://${USER}:${PASSWORD}@127.0.0.1:${port}/${name}`
  const server = await startDatabaseServer({
    program,
    args: [
      '--no-defaults',
      ...asUser,
      ...SETTINGS,
      `--datadir=${data}`,
      `--socket=${join(directory, 'socket')}`,
      `--pid-file=${join(directory, 'pid')}`,
      `--port=${port}`,
      `--init-file=${init}`,
    ],
    directory,
    account: null,
    stopSignal: 'SIGTERM',
    probe: async () => (await createConnection(urlOf(''))).end(),
  })
  const connection = await createConnection(urlOf(''))
  const [rows] = await connection.query('select version() as version')
  const [version = ''] = /\d+\.\d+\.\d+/.exec(JSON.stringify(rows)) ?? []
  const databaseOf = (dataset: string) => `qscope_bench_${dataset}`
  return {
    name: 'mariadb',
    version: `MariaDB ${version}`,
    pid: server.pid,
    urlOf: (dataset) => urlOf(databaseOf(dataset)),
    create: async (dataset) => {
      await connection.query(`drop database if exists ${databaseOf(dataset)}`)
      await connection.query(`create database ${databaseOf(dataset)}`)
    },
    connect: async (dataset) => await bulkConnection(urlOf(databaseOf(dataset))),
    stop: async () => {
      await connection.end()
      await server.stop()
    },
  }
}

async function bulkConnection(url: string): Promise<BulkConnection> {
  const connection = await createConnection(url)
  await connection.query(`set sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT'), unique_checks = 0`)
  await connection.query('set foreign_key_checks = 0')
  return {
    tokenSql,
    run: async (sql) => void (await connection.query(sql)),
    runAll: async (sql, rows) => {
      await connection.beginTransaction()
      for (const row of rows) await connection.execute(sql, [...row])
      await connection.commit()
    },
    dropIndexes: (table) => dropIndexes(connection, table),
    close: async () => await connection.end(),
  }
}

/** As `show create table` writes them: `UNIQUE KEY `name` (`column`)`. The primary key stays. */
async function dropIndexes(connection: Connection, table: string): Promise<readonly string[]> {
  const [rows] = await connection.query(`show create table ${table}`)
  const text = JSON.stringify(rows)
  const keys = [...text.matchAll(/((?:UNIQUE )?KEY `(\w+)` \([^)]*\))/g)]
  const parts = keys.map(([, definition = '', name = '']) => ({ definition, name }))
  if (parts.length === 0) return []
  await connection.query(`alter table ${table} ${parts.map(({ name }) => `drop index ${name}`).join(', ')}`)
  // One at a time: each is sorted by itself, in less memory.
  return parts.map(({ definition }) => `alter table ${table} add ${definition}`)
}
