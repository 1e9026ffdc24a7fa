import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { clientId } from '../../src/domain/ids.ts'
import { openBackend } from '../../src/stores/open.ts'
import type { Dialect, Execute } from '../../src/stores/sql/core/dialect.ts'
import { diagnosticRows } from '../../src/stores/sql/diagnostics.ts'
import { mysql } from '../../src/stores/sql/dialects/mysql/dialect.ts'
import { postgres } from '../../src/stores/sql/dialects/postgres/dialect.ts'
import { mariadbDatabases, mariadbDatabasesOn, mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'
import { startMariaDb } from '../setup/mariadb.ts'
import { runSql } from '../setup/run-sql.ts'
import { aClient, aToken, context, mint, openMigrated, options, quiet, register } from './given.ts'

const TIMEOUT_MS = 60_000

describe.skipIf(!mariadbDatabases.available)('a MariaDB with exhausted resources', () => {
  test('without prepared statements: calls are unavailable, and recover', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const server = await startMariaDb()
    if (server === null) throw new Error('there is no MariaDB')
    const database = await mariadbDatabasesOn(server.url).create()
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

  test('with an exhausted hourly quota: calls are unavailable', { timeout: TIMEOUT_MS }, async () => {
    const database = await mariadbDatabases.createMigrated()
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

describe('a connection keeps a limited number of prepared statements', () => {
  const SETTINGS = {
    walLimit: 0,
    poolSize: 3,
    connectTimeoutMs: 30_000,
    statementTimeoutMs: 30_000,
    tls: null,
    authToken: null,
  }
  const DIFFERENT = 700

  /** The number of prepared statements of the reading connection: after one statement, and after many. */
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
      // Closed statements can be run again.
      for (let n = 0; n < 3; n += 1) await prepare(n)
      return { one, many: Number(await count(connected.execute)) }
    } finally {
      await connected.close()
    }
  }

  test.skipIf(!mariadbDatabases.available)('on MariaDB', { timeout: TIMEOUT_MS }, async () => {
    // A separate server, since it counts the statements of all connections together.
    const server = await startMariaDb()
    if (server === null) throw new Error('there is no MariaDB')
    try {
      const database = await mariadbDatabasesOn(server.url).create()
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
    `a missing privilege on ${kind.name} is not an outage`,
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
          message: expect.stringMatching(/the database user of QScope lacks a privilege.*oauth_access_tokens/),
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
