import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { type FreshDatabase, mysqlDatabases } from '../setup/fresh-database.ts'
import { aClient, anEvent, aToken, change, context, mint, openMigrated, register } from './given.ts'

/** MySQL counts the updates of each connection. The other tests of the run have other databases on the same server. */
const UPDATES = `
  select cast(coalesce(sum(variable_value), 0) as signed) as updates
  from performance_schema.status_by_thread join performance_schema.threads using (thread_id)
  where variable_name = 'Com_update' and processlist_db = database()`

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
    const before = await updates()
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
    const made = (await updates()) - before
    expect(made).toBeGreaterThan(0)
    expect(made).toBeLessThan(32)
  })

  async function updates(): Promise<number> {
    const [row] = await database.query(UPDATES)
    return Number(row?.['updates'])
  }
})
