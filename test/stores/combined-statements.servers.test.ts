import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { type FreshDatabase, mysqlDatabases } from '../setup/fresh-database.ts'
import { aClient, anEvent, aToken, change, context, mint, openMigrated, register } from './given.ts'

/** MySQL counts the statements of each text, by database. */
const UPDATES = `
  select cast(coalesce(sum(count_star), 0) as signed) as updates from performance_schema.events_statements_summary_by_digest
  where schema_name = database() and digest_text like 'UPDATE \`oauth_access_tokens\` SET \`revoked_at\`%'`

describe.skipIf(!mysqlDatabases.available)('transactions of one kind on mysql', () => {
  let database: FreshDatabase
  let backend: Backend
  beforeEach(async () => {
    database = await mysqlDatabases.createMigrated()
    backend = await openMigrated(database)
    await register(backend, aClient('someone'))
  })
  afterEach(async () => {
    await backend.close()
    await database.drop()
  })

  test('change their rows by fewer statements than there are rows', async () => {
    const tokens = Array.from({ length: 64 }, () => aToken('someone'))
    await mint(backend, ...tokens)
    const revoked = await Promise.all(
      tokens.map((token) =>
        backend.transaction(context(), async (stores) => {
          const value = await stores.accessTokens.revoke(token, 'test', change)
          if (value) await stores.auditLog.append(anEvent())
          return { commit: value, value }
        }),
      ),
    )
    expect(revoked).not.toContain(false)
    const [row] = await database.query(UPDATES)
    const updates = Number(row?.['updates'])
    expect(updates).toBeGreaterThan(0)
    expect(updates).toBeLessThan(32)
  })
})
