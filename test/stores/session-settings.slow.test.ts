import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { openBackend } from '../../src/stores/open.ts'
import { setUpSession } from '../../src/stores/sql/dialects/mysql/session.ts'
import { type DatabaseProxy, startProxy } from '../setup/database-proxy.ts'
import {
  type DatabaseKind,
  type FreshDatabase,
  type MigratedKind,
  mariadbDatabases,
  mariadbDatabasesOn,
  mysqlDatabases,
  mysqlDatabasesOn,
  postgresDatabases,
} from '../setup/fresh-database.ts'
import { startMariaDb } from '../setup/mariadb.ts'
import { startMysql } from '../setup/mysql.ts'
import { runSql } from '../setup/run-sql.ts'
import type { DatabaseServer } from '../setup/server-process.ts'
import { aUser, context, inTransaction, openMigrated, options, ownTransaction } from './given.ts'
import { MERGED_NAMES } from './merged-names.ts'

const TIMEOUT_MS = 60_000
const NAMES = MERGED_NAMES.flat()

/** Registers every name in a separate transaction or speculatively, and finds each again unchanged. */
async function expectNamesApart(backend: Backend, look: (sql: string) => Promise<Record<string, unknown>[]>) {
  const users = NAMES.map((externalId) => aUser({ externalId }))
  const half = Math.floor(users.length / 2)
  const insert = (part: typeof users) => async (stores: Parameters<Parameters<Backend['transaction']>[1]>[0]) => {
    for (const user of part) expect(await stores.users.insert(user), JSON.stringify(user.externalId)).toBe(true)
    return { commit: true, value: null }
  }
  await ownTransaction(backend, context(), insert(users.slice(0, half)))
  // Few at a time, so that backends that support it run them speculatively.
  for (let at = half; at < users.length; at += 20)
    await backend.transaction(context(), insert(users.slice(at, at + 20)))
  const found = users.map(({ externalId }) => backend.reads.users.findByExternalId(context(), externalId))
  expect(await Promise.all(found)).toEqual(users)
  // Reads the database directly, to check the stored bytes without the backend.
  const stored = await look('select hex(external_id) as bytes from oauth_users limit 10000')
  const names = stored.map((row) => Buffer.from(String(row['bytes']), 'hex').toString('utf8'))
  expect(names.toSorted()).toEqual(NAMES.toSorted())
}

test('there are more than 200 pairs of names, and all names differ', () => {
  expect(MERGED_NAMES.length).toBeGreaterThanOrEqual(200)
  expect(new Set(NAMES).size).toBe(NAMES.length)
})

const opened: Backend[] = []
const proxies: DatabaseProxy[] = []
afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close()
  for (const proxy of proxies.splice(0)) await proxy.close()
})
async function open(url: string): Promise<Backend> {
  const backend = await openBackend(url, { ...options, connections: { poolSize: 5 } })
  opened.push(backend)
  return backend
}

/** Statements of `init_connect`. It does not run for administrators, so the user of the server is not one. */
const INIT_CONNECTS = [
  'SET NAMES latin1',
  'SET NAMES utf8mb3',
  'SET NAMES utf8mb4 COLLATE utf8mb4_general_ci',
  'SET NAMES cp1250',
  'SET CHARACTER SET latin1',
  'SET character_set_client = latin1',
  'SET character_set_connection = latin1',
  'SET character_set_results = latin1',
  'SET character_set_results = NULL',
  'SET character_set_results = utf16',
  "SET sql_mode = ''",
  'SET autocommit = 0',
  'SET completion_type = 2',
  'SET completion_type = 1',
  'SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY',
  'SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED',
  'SET sql_select_limit = 1',
  'SET sql_safe_updates = 1, sql_auto_is_null = 1',
  'SET sql_big_selects = 0, max_join_size = 1',
  "SET time_zone = '+05:30'",
  'SET innodb_lock_wait_timeout = 1',
  'SET max_sort_length = 8',
]
const GLOBALS = [
  'character_set_server = latin1, collation_server = latin1_swedish_ci',
  'character_set_client = latin1, character_set_connection = latin1, character_set_results = latin1',
  "sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
  'completion_type = 2',
  'autocommit = 0',
  'sql_select_limit = 1',
]

/** The databases with MySQL's protocol, and further settings that they can force on a session. */
interface Family {
  readonly vendor: string
  readonly kind: MigratedKind
  readonly databasesOn: (server: string) => DatabaseKind
  readonly start: (more?: readonly string[]) => Promise<DatabaseServer | null>
  readonly initConnects: readonly string[]
  readonly globals: readonly string[]
  /** Options with which a server ignores the character set of the client's handshake; `null` if there are none. */
  readonly deaf: readonly string[] | null
}

const FAMILIES: readonly Family[] = [
  {
    vendor: 'MariaDB',
    kind: mariadbDatabases,
    databasesOn: mariadbDatabasesOn,
    start: startMariaDb,
    initConnects: [
      "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,PIPES_AS_CONCAT,ORACLE'",
      'SET foreign_key_checks = 0, unique_checks = 0, check_constraint_checks = 0',
      'SET max_statement_time = 0.001',
    ],
    globals: ["tx_isolation = 'SERIALIZABLE'", 'max_statement_time = 0.5'],
    deaf: [
      '--skip-character-set-client-handshake',
      '--character-set-server=latin1',
      '--collation-server=latin1_swedish_ci',
    ],
  },
  {
    vendor: 'MySQL',
    kind: mysqlDatabases,
    databasesOn: mysqlDatabasesOn,
    // The rows need not survive the server.
    start: (more = []) => startMysql(['--skip-log-bin', '--innodb-flush-log-at-trx-commit=0', ...more]),
    initConnects: [
      "SET sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,REAL_AS_FLOAT,TIME_TRUNCATE_FRACTIONAL'",
      'SET foreign_key_checks = 0, unique_checks = 0',
      'SET max_execution_time = 1',
      'SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci',
      'SET transaction_read_only = 1',
      "SET explain_format = 'TREE'",
    ],
    globals: [
      "transaction_isolation = 'SERIALIZABLE'",
      'transaction_read_only = 1',
      'max_execution_time = 1',
      "default_collation_for_utf8mb4 = 'utf8mb4_general_ci'",
      "explain_format = 'TREE'",
    ],
    // MySQL 9 no longer has that option.
    deaf: null,
  },
]

for (const { vendor, kind, databasesOn, start, initConnects, globals, deaf } of FAMILIES) {
  describe.skipIf(!kind.available)(`a session on ${vendor}`, () => {
    const ofUs = 'names utf8mb4 collate utf8mb4_bin'

    let server: DatabaseServer | null = null
    let skipping: DatabaseServer | null = null
    beforeAll(async () => {
      server = await start()
      if (deaf !== null) skipping = await start(deaf)
    }, TIMEOUT_MS)
    afterAll(async () => {
      await server?.stop()
      await skipping?.stop()
    })

    const databases = new Map<DatabaseServer, Promise<FreshDatabase>>()
    async function migratedOn(on: DatabaseServer): Promise<FreshDatabase> {
      const database = await databasesOn(on.url).create()
      await (await openMigrated(database)).close()
      return database
    }

    /** A database of the server without users, and the URL of a user without administrator privileges. */
    async function withPlainUser(on: DatabaseServer | null) {
      if (on === null) throw new Error(`there is no ${vendor}`)
      const migrated = databases.get(on) ?? migratedOn(on)
      databases.set(on, migrated)
      const database = await migrated
      await database.query('delete from oauth_users')
      const url = new URL(database.url)
      const user = `plain_${randomBytes(4).toString('hex')}`
      await runSql(on.url, `create user ${user} identified by 'plain'`)
      await runSql(on.url, `grant all on ${url.pathname.slice(1)}.* to ${user}`)
      Object.assign(url, { username: user, password: 'plain' })
      return { database, url: url.href }
    }
    const globally = async (text: string) => {
      if (server !== null) await runSql(server.url, `set global ${text}`)
    }

    test.each([...INIT_CONNECTS, ...initConnects])(
      'distinguishes names if init_connect is %s',
      { timeout: TIMEOUT_MS },
      async (text) => {
        const { database, url } = await withPlainUser(server)
        await globally(`init_connect = "${text}"`)
        try {
          await expectNamesApart(await open(url), database.query)
        } finally {
          await globally("init_connect = ''")
        }
      },
    )

    test.each([...GLOBALS, ...globals])(
      'distinguishes names if the server has %s',
      { timeout: TIMEOUT_MS },
      async (text) => {
        const { database, url } = await withPlainUser(server)
        const names = [...text.matchAll(/(\w+) = /g)].map(([, name]) => name ?? '')
        for (const part of text.split(/, (?=\w+ = )/)) await globally(part)
        try {
          await expectNamesApart(await open(url), database.query)
        } finally {
          for (const name of names) await globally(`${name} = default`)
        }
      },
    )

    test('that its server closes at the start is refused with a line that states the reason', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const { url } = await withPlainUser(server)
      await globally("init_connect = 'SET no_such_variable = 1'")
      try {
        await expect(openBackend(url, options)).rejects.toMatchObject({
          fault: 'unavailable',
          message: expect.stringMatching(/correct its init_connect.*init_connect command failed/),
        })
      } finally {
        await globally("init_connect = ''")
      }
    })

    if (deaf !== null) {
      const name = 'distinguishes names if the server ignores the character set of the handshake'
      test(name, { timeout: TIMEOUT_MS }, async () => {
        const { database, url } = await withPlainUser(skipping)
        await expectNamesApart(await open(url), database.query)
      })
    }

    test('is refused and reported if a proxy changes its character set', { timeout: TIMEOUT_MS }, async () => {
      const { url } = await withPlainUser(server)
      const proxy = await startProxy(url)
      proxies.push(proxy)
      proxy.rewrite(ofUs, 'names latin1 collate latin1_bin'.padEnd(ofUs.length))
      await expect(openBackend(proxy.url, options)).rejects.toMatchObject({
        fault: 'unavailable',
        message: expect.stringMatching(/session.*character_set_client is latin1, not utf8mb4.*pooler/),
      })
    })

    test('that is changed later is noticed by the health check', { timeout: TIMEOUT_MS }, async () => {
      const { url } = await withPlainUser(server)
      const proxy = await startProxy(url)
      proxies.push(proxy)
      const backend = await open(proxy.url)
      expect(await backend.check()).toEqual({ serving: true })
      const probe = 'update oauth_audit_heads set sequence = sequence where 1 = 0'
      proxy.rewrite(probe, 'set names latin1'.padEnd(probe.length))
      await backend.check()
      expect(await backend.check()).toMatchObject({
        serving: false,
        problem: expect.stringContaining('character_set_client is latin1'),
      })
    })
  })
}

describe.skipIf(!postgresDatabases.available)('a session on PostgreSQL', () => {
  const DEFAULTS = [
    "client_encoding = 'LATIN1'",
    "client_encoding = 'SQL_ASCII'",
    "client_encoding = 'WIN1252'",
    'standard_conforming_strings = off',
    "default_transaction_isolation = 'serializable'",
    "default_transaction_isolation = 'repeatable read'",
    'default_transaction_deferrable = on',
    "timezone = 'Asia/Kolkata'",
    "datestyle = 'SQL, DMY'",
    "intervalstyle = 'sql_standard'",
    "bytea_output = 'escape'",
    "lock_timeout = '1h'",
    "statement_timeout = '1h'",
    "idle_in_transaction_session_timeout = '1ms'",
    'transform_null_equals = on',
    'row_security = on',
    'search_path = pg_temp, public',
  ]
  /** In UTF-8, the encoding of the database. */
  const look = (database: FreshDatabase) => (sql: string) =>
    database.query(sql.replace('hex(external_id)', "encode(convert_to(external_id, 'UTF8'), 'hex')"))
  const nameOf = ({ url }: FreshDatabase) => new URL(url).pathname.slice(1)

  test.each(DEFAULTS)('distinguishes names if the database has %s', { timeout: TIMEOUT_MS }, async (text) => {
    const database = await postgresDatabases.createMigrated()
    await database.query(`alter database ${nameOf(database)} set ${text}`)
    await expectNamesApart(await open(database.url), look(database))
    await opened.pop()?.close()
    await database.drop()
  })

  test.each(DEFAULTS.slice(0, 5))('distinguishes names if the role has %s', { timeout: TIMEOUT_MS }, async (text) => {
    const database = await postgresDatabases.createMigrated()
    const role = `plain_${randomBytes(4).toString('hex')}`
    await database.query(`create role ${role} login password 'plain'`)
    await database.query(`grant select, insert, update, delete on all tables in schema public to ${role}`)
    await database.query(`alter role ${role} set ${text}`)
    await expectNamesApart(
      await open(Object.assign(new URL(database.url), { username: role, password: 'plain' }).href),
      look(database),
    )
    await opened.pop()?.close()
    await database.query(`revoke all on all tables in schema public from ${role}`)
    await database.query(`drop role ${role}`)
    await database.drop()
  })

  test.each(['LATIN1', 'SQL_ASCII', 'LATIN9', 'WIN1252'])(
    'is refused in one line if the database has the encoding %s',
    async (encoding) => {
      const database = await postgresDatabases.create()
      const narrow = `${nameOf(database)}_narrow`
      await database.query(`create database ${narrow} template template0 encoding '${encoding}' locale 'C'`)
      const url = Object.assign(new URL(database.url), { pathname: narrow }).href
      await expect(openBackend(url, options)).rejects.toMatchObject({
        fault: 'unavailable',
        message: expect.stringContaining(`the encoding ${encoding}, in which not every name can be stored`),
      })
      await database.query(`drop database ${narrow}`)
      await database.drop()
    },
  )

  test('is refused and reported if a proxy changes its character set', { timeout: TIMEOUT_MS }, async () => {
    const database = await postgresDatabases.createMigrated()
    const proxy = await startProxy(database.url)
    proxies.push(proxy)
    proxy.rewrite("set session client_encoding = 'UTF8'", "set session client_encoding='LATIN1'")
    await expect(openBackend(proxy.url, options)).rejects.toMatchObject({
      fault: 'unavailable',
      message: expect.stringMatching(/session.*client_encoding is LATIN1, not utf8.*pooler/),
    })
    await database.drop()
  })

  test('that is changed later is noticed by the health check', { timeout: TIMEOUT_MS }, async () => {
    const database = await postgresDatabases.createMigrated()
    const proxy = await startProxy(database.url)
    proxies.push(proxy)
    const backend = await open(proxy.url)
    expect(await backend.check()).toEqual({ serving: true })
    proxy.rewrite('update oauth_audit_heads set', "set client_encoding='LATIN1'".padEnd(28))
    proxy.rewrite(' sequence = sequence where 1 = 0', ' '.repeat(32))
    proxy.rewrite('rollback', 'commit  ')
    await backend.check()
    expect(await backend.check()).toMatchObject({ serving: false, problem: expect.stringContaining('LATIN1') })
    await inTransaction(backend, async () => false)
    await opened.pop()?.close()
    await database.drop()
  })
})

/** Values of MariaDB from version 12 on. */
test.each(['ON', 'NO_LOCK', 'NO_LOCK_NO_ADMIN'])('a MySQL session is refused if read_only is %s', async (value) => {
  const query = async () => ({ rows: [{ Variable_name: 'read_only', Value: value }], affected: 0 })
  await expect(setUpSession({ query }, 'reads')).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('read-only'),
  })
})
