import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Connection, createConnection } from 'mysql2/promise'
import { mysqlProgram } from '../../test/setup/mysql.ts'
import { benchDirectory } from '../directory.ts'
import { freePort } from '../free-port.ts'
import { NotAvailable } from '../not-available.ts'
import type { TokenSql } from '../seed/token-columns.ts'
import type { BenchDatabase, BulkConnection } from './bench-database.ts'
import { installedProgram } from './installed-program.ts'
import { startDatabaseServer } from './server-process.ts'

const USER = 'qscope_bench'
const PASSWORD = 'qscope_bench'

/** For both: a buffer pool for one ordinary machine, and a flush at every commit, as in production. */
const COMMON_SETTINGS = Object.freeze([
  '--bind-address=127.0.0.1',
  '--skip-name-resolve',
  '--innodb-buffer-pool-size=1G',
  '--innodb-flush-log-at-trx-commit=1',
  // For building indexes in the seed.
  '--innodb-sort-buffer-size=64M',
  '--max-connections=300',
])

/** The differences between MySQL and MariaDB. */
interface Product {
  readonly name: 'mysql' | 'mariadb'
  readonly label: string
  readonly program: string
  readonly settings: readonly string[]
  /** Creates an empty data directory. */
  readonly install: (options: readonly string[]) => void
  /** Rows of integers, without the last. */
  readonly numbers: TokenSql['numbers']
  /** Whether an index of a foreign key may be dropped while keys are not checked. */
  readonly dropsIndexesOfKeys: boolean
  /** Runs first on a seeding connection. */
  readonly beforeSeed: readonly string[]
}

/** Starts a MariaDB server for the benchmark. Throws `NotAvailable` if it is not installed. */
export async function openMariaDb(root: string): Promise<BenchDatabase> {
  const program = installedProgram('mariadbd')
  const installer = installedProgram('mariadb-install-db')
  if (program === null || installer === null) throw new NotAvailable('MariaDB is not installed')
  return await openServer(root, {
    name: 'mariadb',
    label: 'MariaDB',
    program,
    settings: ['--innodb-log-file-size=512M'],
    install: (options) => {
      const withoutPlugin = '--auth-root-authentication-method=normal'
      execFileSync(installer, ['--no-defaults', ...options, withoutPlugin], { stdio: 'ignore' })
    },
    numbers: (from, to) => `(select seq as i from seq_${from}_to_${to - 1}) n`,
    dropsIndexesOfKeys: true,
    beforeSeed: [],
  })
}

/** The same for MySQL, with the binary log on and flushed at every commit, as by default. */
export async function openMysql(root: string): Promise<BenchDatabase> {
  const program = mysqlProgram('mysqld')
  if (program === null) throw new NotAvailable('MySQL is not installed: run scripts/install-mysql.sh')
  return await openServer(root, {
    name: 'mysql',
    label: 'MySQL',
    program,
    settings: ['--innodb-redo-log-capacity=1G', '--mysqlx=OFF'],
    install: (options) => {
      execFileSync(program, ['--no-defaults', ...options, '--initialize-insecure'], { stdio: 'ignore' })
    },
    numbers: (from, to) =>
      `(with recursive n (i) as (select ${from} union all select i + 1 from n where i < ${to - 1}) select i from n) n`,
    dropsIndexesOfKeys: false,
    beforeSeed: ['set cte_max_recursion_depth = 4294967295', 'set sql_log_bin = 0'],
  })
}

async function openServer(root: string, product: Product): Promise<BenchDatabase> {
  const { name, label, program, settings, install } = product
  const directory = benchDirectory(root, name)
  chmodSync(directory, 0o755)
  const data = join(directory, 'data')
  const asUser = process.getuid?.() === 0 ? ['--user=root'] : []
  if (!existsSync(data)) install([...asUser, `--datadir=${data}`])
  const init = join(directory, 'init.sql')
  const account = `'${USER}'@'%'`
  const grant = `GRANT ALL ON *.* TO ${account} WITH GRANT OPTION`
  writeFileSync(init, `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${PASSWORD}';\n${grant};\n`)
  const port = await freePort()
  const urlOf = (database: string) => `mysql://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`
  const server = await startDatabaseServer({
    program,
    args: [
      '--no-defaults',
      ...asUser,
      ...COMMON_SETTINGS,
      ...settings,
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
    name,
    version: `${label} ${version}`,
    pid: server.pid,
    urlOf: (dataset) => urlOf(databaseOf(dataset)),
    create: async (dataset) => {
      await connection.query(`drop database if exists ${databaseOf(dataset)}`)
      await connection.query(`create database ${databaseOf(dataset)}`)
    },
    connect: async (dataset) => await bulkConnection(urlOf(databaseOf(dataset)), product),
    stop: async () => {
      await connection.end()
      await server.stop()
    },
  }
}

async function bulkConnection(
  url: string,
  { numbers, dropsIndexesOfKeys, beforeSeed }: Product,
): Promise<BulkConnection> {
  const connection = await createConnection(url)
  for (const statement of beforeSeed) await connection.query(statement)
  await connection.query(`set sql_mode = concat(@@sql_mode, ',PIPES_AS_CONCAT'), unique_checks = 0`)
  await connection.query('set foreign_key_checks = 0')
  return {
    tokenSql: {
      hex: (expression, digits) => `lpad(lower(hex(${expression})), ${digits}, '0')`,
      hash: 'random_bytes(32)',
      numbers,
      text: (expression) => `(${expression})`,
    },
    run: async (sql) => void (await connection.query(sql)),
    runAll: async (sql, rows) => {
      await connection.beginTransaction()
      for (const row of rows) await connection.execute(sql, [...row])
      await connection.commit()
    },
    dropIndexes: (table) => dropIndexes(connection, table, dropsIndexesOfKeys),
    close: async () => await connection.end(),
  }
}

/** As `show create table` prints them: `UNIQUE KEY `name` (`column`)`. The primary key stays. */
async function dropIndexes(
  connection: Connection,
  table: string,
  dropsIndexesOfKeys: boolean,
): Promise<readonly string[]> {
  const [rows] = await connection.query(`show create table ${table}`)
  const text = JSON.stringify(rows)
  const references = new Set(Array.from(text.matchAll(/FOREIGN KEY \(`(\w+)`\)/g), ([, column]) => column))
  const parts = [...text.matchAll(/((?:UNIQUE )?KEY `(\w+)` \(`(\w+)`[^)]*\))/g)]
    .filter(([, , , column]) => dropsIndexesOfKeys || !references.has(column))
    .map(([, definition = '', name = '']) => ({ definition, name }))
  if (parts.length === 0) return []
  await connection.query(`alter table ${table} ${parts.map(({ name }) => `drop index ${name}`).join(', ')}`)
  // One at a time, because each sort then takes less memory.
  return parts.map(({ definition }) => `alter table ${table} add ${definition}`)
}
