import Sqlite from 'better-sqlite3'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import type { Diagnostic } from '../../src/stores/contract/backend.ts'
import type { Execute } from '../../src/stores/sql/core/dialect.ts'
import { clockDiagnostic } from '../../src/stores/sql/diagnostics.ts'
import { mysqlDiagnostics } from '../../src/stores/sql/dialects/mysql/diagnostics.ts'
import { galeraDiagnostics } from '../../src/stores/sql/dialects/mysql/galera-diagnostics.ts'
import { postgresDiagnostics } from '../../src/stores/sql/dialects/postgres/diagnostics.ts'
import { sqliteDiagnostics } from '../../src/stores/sql/dialects/sqlite/diagnostics.ts'
import { databaseKinds, type FreshDatabase, mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'
import { openMigrated } from './given.ts'

const warnings = (facts: readonly Diagnostic[]) =>
  facts.filter(({ warning }) => warning !== null).map(({ name, value }) => ({ name, value }))

/** Everything a database of one kind tells, whatever its settings. */
const TOLD = {
  sqlite: ['version', 'file', 'journal_mode', 'synchronous', 'foreign_keys'],
  mysql: [
    'version',
    'isolation',
    'session',
    'collation',
    'innodb_flush_log_at_trx_commit',
    'read_only',
    'max_connections',
  ],
  postgres: [
    'version',
    'isolation',
    'session',
    'encoding',
    'synchronous_commit',
    'fsync',
    'full_page_writes',
    'max_connections',
  ],
}

describe.each(databaseKinds.filter(({ available }) => available))('the facts of a database on $name', (kind) => {
  test('are told by a backend, and give no concern about what QScope sets itself', async () => {
    const database = await kind.create()
    const backend = await openMigrated(database)
    try {
      const facts = await backend.diagnostics()
      const names = facts.map(({ name }) => name)
      for (const name of TOLD[kind.name]) expect(names).toContain(name)
      if (kind.name !== 'sqlite')
        for (const name of ['clock', 'tls', 'audit_log_changes']) expect(names).toContain(name)
      const ours = new Set([
        'isolation',
        'session',
        'collation',
        'journal_mode',
        'synchronous',
        'foreign_keys',
        'read_only',
      ])
      expect(warnings(facts).filter(({ name }) => ours.has(name))).toEqual([])
    } finally {
      await backend.close()
      await database.drop()
    }
  })
})

test('SQLite that can lose commits or locks readers out gives concern', async () => {
  const database = new Sqlite(':memory:')
  const execute: Execute = async ({ sql }) => ({ rows: database.prepare(sql).all(), affected: 0 })
  for (const pragma of ['synchronous = NORMAL', 'foreign_keys = OFF']) database.pragma(pragma)
  expect(warnings(await sqliteDiagnostics(execute))).toEqual([
    { name: 'journal_mode', value: 'memory' },
    { name: 'synchronous', value: 'NORMAL' },
    { name: 'foreign_keys', value: 'off' },
  ])
  database.close()
})

describe.skipIf(!mysqlDatabases.available)('MySQL', () => {
  test('gives concern about another isolation, and about names that are compared loosely', async () => {
    await withDatabase(mysqlDatabases.create(), async ({ url }) => {
      const connection = await createConnection(url)
      const execute: Execute = async ({ sql }) => {
        try {
          const [rows] = await connection.execute(sql)
          return { rows: Array.isArray(rows) ? rows : [], affected: 0 }
        } catch (cause) {
          throw new Error('refused', { cause })
        }
      }
      await connection.query('set session transaction isolation level repeatable read')
      await connection.query('create table oauth_x (a varchar(9)) character set utf8mb4 collate utf8mb4_general_ci')
      const facts = await mysqlDiagnostics(execute)
      expect(warnings(facts)).toEqual(
        expect.arrayContaining([
          { name: 'isolation', value: 'REPEATABLE-READ' },
          { name: 'session', value: expect.stringContaining('tx_isolation is REPEATABLE-READ, not read-committed') },
          { name: 'collation', value: 'utf8mb4_general_ci' },
        ]),
      )
      expect(facts).toContainEqual({ name: 'audit_log_changes', value: 'none', warning: null })
      await connection.query('create table oauth_audit_log (sequence int)')
      expect(await mysqlDiagnostics(execute)).toContainEqual({
        name: 'audit_log_changes',
        value: 'UPDATE, DELETE',
        warning: null,
      })
      await connection.end()
    })
  })

  const node = { wsrep_on: 'ON', wsrep_sync_wait: '1' }
  const inGoodOrder = { wsrep_cluster_size: '3', wsrep_cluster_status: 'Primary', wsrep_local_state_comment: 'Synced' }
  const galera = (variables: object, status: object = inGoodOrder) =>
    galeraDiagnostics(new Map(Object.entries({ ...node, ...variables })), new Map(Object.entries(status)))

  test('tells of a cluster only on a node of one', () => {
    expect(galera({ wsrep_on: 'OFF' })).toEqual([])
    expect(galera({}).map(({ value, warning }) => [value, warning])).toEqual([
      ['3', null],
      ['Primary', null],
      ['Synced', null],
      ['1', null],
    ])
    expect(warnings(galera({ wsrep_sync_wait: '7' }))).toEqual([])
  })

  test('gives concern about a cluster without a majority to spare, a node cut off, behind, or read too early', () => {
    const status = {
      wsrep_cluster_size: '2',
      wsrep_cluster_status: 'non-Primary',
      wsrep_local_state_comment: 'Joining',
    }
    expect(warnings(galera({ wsrep_sync_wait: '0' }, status)).map(({ value }) => value)).toEqual([
      '2',
      'non-Primary',
      'Joining',
      '0',
    ])
  })
})

describe.skipIf(!postgresDatabases.available)('PostgreSQL', () => {
  test('gives concern about commits that are not waited for, isolation, read-only sessions and encodings', async () => {
    await withDatabase(postgresDatabases.create(), async ({ url, query }) => {
      const narrow = new URL(url)
      narrow.pathname += '_narrow'
      const name = narrow.pathname.slice(1)
      await query(`create database ${name} template template0 encoding 'LATIN1' locale 'C'`)
      const client = new Client({ connectionString: narrow.href })
      await client.connect()
      await client.query('set synchronous_commit = off')
      await client.query('set session characteristics as transaction isolation level repeatable read, read only')
      const execute: Execute = async ({ sql }) => ({ rows: (await client.query(sql)).rows, affected: 0 })
      expect(warnings(await postgresDiagnostics(execute))).toEqual(
        expect.arrayContaining([
          { name: 'isolation', value: 'repeatable read' },
          {
            name: 'session',
            value: expect.stringContaining('default_transaction_isolation is repeatable read, not read committed'),
          },
          { name: 'encoding', value: 'LATIN1, collation C' },
          { name: 'synchronous_commit', value: 'off' },
          { name: 'transaction_read_only', value: 'on' },
        ]),
      )
      await client.end()
      await query(`drop database ${name}`)
    })
  })
})

describe('a clock', () => {
  const showing = (ms: () => number) =>
    clockDiagnostic(async () => ({ rows: [{ ms: String(ms()) }], affected: 0 }), 'select the time')

  test('within a second gives no concern', async () => {
    expect(await showing(() => Date.now())).toEqual({ name: 'clock', value: "as this machine's", warning: null })
    expect((await showing(() => Date.now() - 900)).warning).toBeNull()
  })

  test('further apart does, whichever is ahead', async () => {
    const ahead = await showing(() => Date.now() + 60_000)
    expect(ahead.value).toMatch(/^(59|60)\d{3} ms ahead of this machine's$/)
    expect(ahead.warning).toMatch(/NTP/)
    expect((await showing(() => Date.now() - 60_000)).value).toMatch(/ms behind this machine's$/)
  })
})

async function withDatabase(creating: Promise<FreshDatabase>, use: (database: FreshDatabase) => Promise<void>) {
  const database = await creating
  try {
    await use(database)
  } finally {
    await database.drop()
  }
}
