import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { type FreshDatabase, mysqlDatabases } from '../setup/fresh-database.ts'
import { aClient, anEvent, aToken, change, context, mint, openMigrated, register } from './given.ts'

/** MySQL counts the statements of each connection. Other tests use the same server with other databases. */
const WRITES = `
  select cast(coalesce(sum(count_star), 0) as signed) as writes
  from performance_schema.events_statements_summary_by_thread_by_event_name
  join performance_schema.threads using (thread_id)
  where processlist_db = database() and event_name in ('statement/sql/update', 'statement/com/Execute')`

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

  test('change their rows with fewer statements than there are rows', async () => {
    const tokens = Array.from({ length: 64 }, () => aToken('someone'))
    await mint(backend, ...tokens)
    const before = await writes()
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
    const made = (await writes()) - before
    expect(made).toBeGreaterThan(0)
    expect(made).toBeLessThan(32)
  })

  async function writes(): Promise<number> {
    const [row] = await database.query(WRITES)
    return Number(row?.['writes'])
  }
})
