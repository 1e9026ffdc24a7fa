import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { clientId } from '../../src/domain/ids.ts'
import { openBackend } from '../../src/stores/open.ts'
import type { Dialect, Execute } from '../../src/stores/sql/core/dialect.ts'
import { diagnosticRows } from '../../src/stores/sql/diagnostics.ts'
import { mysql } from '../../src/stores/sql/dialects/mysql/dialect.ts'
import { databaseErrorOf as mysqlError } from '../../src/stores/sql/dialects/mysql/errors.ts'
import { postgres } from '../../src/stores/sql/dialects/postgres/dialect.ts'
import { databaseErrorOf as postgresError } from '../../src/stores/sql/dialects/postgres/errors.ts'
import { databaseErrorOf as sqliteError } from '../../src/stores/sql/dialects/sqlite/errors.ts'
import { mysqlDatabases, mysqlDatabasesOn, postgresDatabases } from '../setup/fresh-database.ts'
import { startMariaDb } from '../setup/mariadb.ts'
import { runSql } from '../setup/run-sql.ts'
import { aClient, aToken, context, mint, openMigrated, options, quiet, register } from './given.ts'

const TIMEOUT_MS = 60_000

describe('an error of MySQL or MariaDB', () => {
  test.each([
    ['unavailable', [1015, 1016, 1021, 1024, 1026, 1028, 1037, 1038, 1040, 1041, 1104, 1114, 1119, 1129, 1135, 1197]],
    ['unavailable', [1203, 1206, 1226, 1317, 1436, 1598, 1637, 1969, 3024]],
    ['lost', [1047, 1053, 1158, 1159, 1160, 1161, 1184, 1243, 1290, 1461, 1615, 1792, 1836, 1874, 1927, 3032, 3169]],
    ['conflict', [1020, 1205, 1213, 1412, 1614, 3101, 3572]],
    ['broken', [1044, 1045, 1054, 1142, 1143, 1146, 1227, 1370]],
    ['duplicate', [1062, 1586]],
    ['refused', [1048, 1264, 1366, 1406, 1451, 1452, 1644, 4025]],
  ] as const)('is %s: %j', (kind, codes) => {
    for (const errno of codes) {
      expect([errno, mysqlError(Object.assign(new Error('said'), { errno })).kind]).toEqual([errno, kind])
    }
  })

  test.each([
    ['Got error 28 "No space left on device" from storage engine InnoDB', 'unavailable'],
    ['Got error 5 "Input/output error" from storage engine InnoDB', 'unavailable'],
    ['Got error 149 "Lock deadlock; Retry transaction" from storage engine InnoDB', 'conflict'],
    ['Got error 126 "Index file is crashed" from storage engine InnoDB', 'broken'],
  ])('of the engine is judged by what the engine says: %s', (message, kind) => {
    expect(mysqlError(Object.assign(new Error(message), { errno: 1030 })).kind).toBe(kind)
  })
})

test.each([
  ['unavailable', ['53000', '53100', '53200', '53300', '53400', '55000', '55006', '57000', '57014', '58000', '58030']],
  ['lost', ['08000', '08006', '25006', '25P03', '26000', '57P01', '57P02', '57P03', '57P05']],
  ['conflict', ['40001', '40P01', '55P03', '72000']],
  ['broken', ['42501', '42P01', '42703', '58P01', 'XX001', 'XX002']],
  ['duplicate', ['23505']],
  ['refused', ['22001', '23503', '23514']],
  ['outcome_unknown', ['40003']],
] as const)('an error of PostgreSQL is %s: %j', (kind, codes) => {
  for (const code of codes) {
    expect([code, postgresError(Object.assign(new Error('said'), { code })).kind]).toEqual([code, kind])
  }
})

test.each([
  ['unavailable', ['FULL', 'NOMEM', 'IOERR_WRITE', 'IOERR_READ', 'IOERR_NOMEM', 'IOERR_SHMSIZE', 'CANTOPEN']],
  ['unavailable', ['CANTOPEN_ISDIR', 'READONLY', 'READONLY_DBMOVED', 'READONLY_ROLLBACK', 'NOLFS', 'INTERRUPT']],
  ['busy', ['BUSY', 'BUSY_SNAPSHOT', 'BUSY_RECOVERY', 'LOCKED', 'LOCKED_SHAREDCACHE', 'PROTOCOL']],
  ['outcome_unknown', ['IOERR_FSYNC', 'IOERR_DIR_FSYNC']],
  ['broken', ['CORRUPT', 'CORRUPT_INDEX', 'NOTADB', 'IOERR_CORRUPTFS', 'IOERR_DATA']],
] as const)('an error of SQLite is %s: %j', (kind, codes) => {
  for (const code of codes) {
    const trouble = sqliteError({ code: `SQLITE_${code}`, message: 'said' }, '/d/qscope.db')
    expect([code, trouble.kind]).toEqual([code, kind])
  }
})

describe('the message says where to look', () => {
  const mysql = (error: object) => mysqlError(Object.assign(new Error('said'), error)).message
  const postgres = (error: object) => postgresError(Object.assign(new Error('said'), error)).message

  test('at the log-in, where the database does not let the user in', () => {
    for (const errno of [1045, 1049, 1130, 1698]) expect(mysql({ errno })).toMatch(/refuses QScope's log-in .*: said$/)
    for (const code of ['28P01', '28000', '3D000'])
      expect(postgres({ code })).toMatch(/refuses QScope's log-in .*: said$/)
  })

  test('at the grants, where it lets the user in', () => {
    for (const errno of [1044, 1142]) expect(mysql({ errno })).toMatch(/docs\/databases\.md has the grants.*: said$/)
    expect(postgres({ code: '42501' })).toMatch(/docs\/databases\.md has the grants.*: said$/)
  })

  test('at host and port, where no connection came about; a connection that was there is lost', () => {
    for (const says of [mysql, postgres]) {
      for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT']) {
        expect(says({ code })).toBe(
          'the database cannot be reached: said; check host and port in QSCOPE_DATABASE_URL, and that it runs',
        )
      }
      expect(says({ code: 'ECONNRESET' })).toBe('the connection to the database is lost: said')
    }
  })
})

describe.skipIf(!mysqlDatabases.available)('a MariaDB that is short of something', () => {
  test('prepares nothing more: calls are unavailable, and go on when it does again', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const server = await startMariaDb()
    if (server === null) throw new Error('there is no MariaDB')
    const database = await mysqlDatabasesOn(server.url).create()
    const backend = await openMigrated(database)
    try {
      await register(backend, aClient('someone'))
      await runSql(server.url, 'set global max_prepared_stmt_count = 0')
      const find = () => backend.reads.clients.find(context(), clientId('someone'))
      await expect(find()).rejects.toMatchObject({ fault: 'unavailable' })
      await runSql(server.url, 'set global max_prepared_stmt_count = 1000')
      expect(await find()).not.toBeNull()
      await register(backend, aClient('another'))
    } finally {
      await backend.close()
      await server.stop()
    }
  })

  test('lets its user do no more in this hour: calls are unavailable', { timeout: TIMEOUT_MS }, async () => {
    const database = await mysqlDatabases.createMigrated()
    const url = new URL(database.url)
    const user = `limited_${randomBytes(4).toString('hex')}`
    await database.query(`create user ${user} identified by 'plain' with max_queries_per_hour 60`)
    await database.query(`grant all on ${url.pathname.slice(1)}.* to ${user}`)
    const backend = await openBackend(Object.assign(url, { username: user, password: 'plain' }).href, options)
    try {
      const use = async () => {
        for (let n = 0; n < 40; n += 1) await register(backend, aClient(`client-${n}`))
      }
      await expect(use()).rejects.toMatchObject({
        fault: 'unavailable',
        message: expect.stringContaining('a limit of'),
      })
    } finally {
      await backend.close()
      await database.query(`drop user ${user}`)
      await database.drop()
    }
  })
})

describe('a connection keeps what it prepared, and a bounded number of it,', () => {
  const SETTINGS = { walLimit: 0, poolSize: 3, connectTimeoutMs: 30_000, statementTimeoutMs: 30_000, tls: null }
  const DIFFERENT = 700

  /** How many statements the server keeps for the one connection that reads: after one, and after many. */
  async function keptBy(dialect: Dialect, url: string, count: (execute: Execute) => Promise<unknown>) {
    const connected = await dialect.connect(url, SETTINGS, quiet)
    try {
      const prepare = async (n: number) => {
        const sql = `select ${n} as n`
        expect((await connected.execute({ sql, parameters: [] })).rows).toHaveLength(1)
      }
      await prepare(0)
      await prepare(0)
      const one = Number(await count(connected.execute))
      for (let n = 0; n < DIFFERENT; n += 1) await prepare(n)
      // Those that were given up still can be run.
      for (let n = 0; n < 3; n += 1) await prepare(n)
      return { one, many: Number(await count(connected.execute)) }
    } finally {
      await connected.close()
    }
  }

  test.skipIf(!mysqlDatabases.available)('on MariaDB', { timeout: TIMEOUT_MS }, async () => {
    // Of its own, for it counts those of all connections together.
    const server = await startMariaDb()
    if (server === null) throw new Error('there is no MariaDB')
    try {
      const database = await mysqlDatabasesOn(server.url).create()
      const { one, many } = await keptBy(mysql, database.url, async () => {
        const [row] = await database.query("show global status like 'prepared_stmt_count'")
        return row?.['Value']
      })
      expect(one).toBeGreaterThanOrEqual(1)
      expect(many).toBeGreaterThanOrEqual(100)
      expect(many).toBeLessThanOrEqual(200)
    } finally {
      await server.stop()
    }
  })

  test.skipIf(!postgresDatabases.available)('on PostgreSQL', { timeout: TIMEOUT_MS }, async () => {
    const database = await postgresDatabases.create()
    try {
      const { one, many } = await keptBy(postgres, database.url, async (execute) => {
        const [row] = await diagnosticRows(execute, 'select count(*)::text as kept from pg_prepared_statements')
        return row?.get('kept')
      })
      expect(one).toBeGreaterThanOrEqual(1)
      expect(many).toBeGreaterThanOrEqual(400)
      expect(many).toBeLessThanOrEqual(500)
    } finally {
      await database.drop()
    }
  })
})

for (const kind of [mysqlDatabases, postgresDatabases]) {
  test.skipIf(!kind.available)(
    `a right that is missing on ${kind.name} is no outage`,
    { timeout: TIMEOUT_MS },
    async () => {
      const database = await kind.createMigrated()
      const url = new URL(database.url)
      const user = `reader_${randomBytes(4).toString('hex')}`
      const isMysql = kind === mysqlDatabases
      await database.query(
        isMysql ? `create user ${user} identified by 'plain'` : `create role ${user} login password 'plain'`,
      )
      const grants = isMysql ? [`${url.pathname.slice(1)}.*`] : ['all tables in schema public']
      for (const on of grants) await database.query(`grant select on ${on} to ${user}`)
      const backend = await openBackend(Object.assign(url, { username: user, password: 'plain' }).href, options)
      try {
        await expect(mint(backend, aToken('someone'))).rejects.toMatchObject({
          fault: 'broken',
          message: expect.stringMatching(/denies this to QScope's user.*oauth_access_tokens/),
        })
      } finally {
        await backend.close()
        if (!isMysql) await database.query(`revoke all on all tables in schema public from ${user}`)
        await database.query(isMysql ? `drop user ${user}` : `drop role ${user}`)
        await database.drop()
      }
    },
  )
}
