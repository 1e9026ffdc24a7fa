import { randomBytes } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { kyselyOver } from '../../src/stores/sql/core/kysely.ts'
import type { Database } from '../../src/stores/sql/core/schema.ts'
import { sqliteKysely } from '../../src/stores/sql/dialects/sqlite/embedded-dialect.ts'
import { betterSqlite, type SqliteConnection } from '../../src/stores/sql/dialects/sqlite/library.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { openMigrated } from './given.ts'

const LOOKS = 300
const ROUNDS = 7

/** A token with what it depends on, as stores ask for it. */
function joined(hash: Buffer) {
  const db = kyselyOver<Database>(sqliteKysely, { execute: async () => ({ rows: [], affected: 0 }) })
  return db
    .selectFrom('oauth_access_tokens')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_access_tokens.client_id')
    .leftJoin('oauth_users', 'oauth_users.user_id', 'oauth_access_tokens.user_id')
    .leftJoin('oauth_grants', 'oauth_grants.grant_id', 'oauth_access_tokens.grant_id')
    .leftJoin('oauth_signing_keys', 'oauth_signing_keys.key_id', 'oauth_access_tokens.signing_key_id')
    .select([
      'oauth_access_tokens.token_id',
      'oauth_users.active',
      'oauth_grants.revoked_at',
      'oauth_signing_keys.state',
    ])
    .where('oauth_access_tokens.token_hash', 'in', [hash])
    .compile()
}

/** The shortest of some rounds of look-ups, each with a value of its own, in milliseconds. */
function fastest(connection: SqliteConnection, sql: string): number {
  const statement = connection.prepare(sql)
  const rounds = Array.from({ length: ROUNDS }, () => {
    const hashes = Array.from({ length: LOOKS }, () => randomBytes(32))
    const begun = performance.now()
    for (const hash of hashes) statement.all(hash)
    return performance.now() - begun
  })
  return Math.min(...rounds)
}

it('SQLite does not plan a look-up again for each value', async () => {
  const database = await sqliteFiles.create()
  const backend = await openMigrated(database)
  const connection = betterSqlite.open(database.url.replace(/^sqlite:/, ''), { timeout: 1_000 })
  onTestFinished(async () => {
    connection.close()
    await backend.close()
    await database.drop()
  })
  const { sql } = joined(randomBytes(32))
  const plannedAgain = sql.replaceAll('+?', '?')
  expect(plannedAgain).not.toBe(sql)
  expect(fastest(connection, sql)).toBeLessThan(fastest(connection, plannedAgain) / 2)
})
