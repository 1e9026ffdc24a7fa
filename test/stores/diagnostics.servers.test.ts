import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import type { Execute } from '../../src/stores/sql/core/dialect.ts'
import { mysqlDiagnostics } from '../../src/stores/sql/dialects/mysql/diagnostics.ts'
import { postgresDiagnostics } from '../../src/stores/sql/dialects/postgres/diagnostics.ts'
import { type FreshDatabase, mariadbDatabases, mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'
import { warningsOf } from './given.ts'

for (const kind of [mysqlDatabases, mariadbDatabases]) {
  describe.skipIf(!kind.available)(`a database on ${kind.name}`, () => {
    test('causes warnings for another isolation level, and for loose comparison of names', async () => {
      await withDatabase(kind.create(), async ({ url }) => {
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
        expect(warningsOf(facts)).toEqual(
          expect.arrayContaining([
            { name: 'isolation', value: 'REPEATABLE-READ' },
            {
              name: 'session',
              value: expect.stringMatching(/\b(tx|transaction)_isolation is REPEATABLE-READ, not read-committed/),
            },
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
  })
}

describe.skipIf(!postgresDatabases.available)('PostgreSQL', () => {
  test('causes warnings for asynchronous commits, isolation, read-only sessions and encodings', async () => {
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
      expect(warningsOf(await postgresDiagnostics(execute))).toEqual(
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

async function withDatabase(creating: Promise<FreshDatabase>, use: (database: FreshDatabase) => Promise<void>) {
  const database = await creating
  try {
    await use(database)
  } finally {
    await database.drop()
  }
}
