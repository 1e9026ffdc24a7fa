import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { type FreshDatabase, mariadbDatabases, mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'
import { aClient, aToken, mintAudited, openMigrated, register } from './given.ts'

for (const kind of [mysqlDatabases, mariadbDatabases, postgresDatabases]) {
  describe.skipIf(!kind.available)(`a head of the audit log that was changed from outside on ${kind.name}`, () => {
    let database: FreshDatabase
    let backend: Backend
    beforeEach(async () => {
      database = await kind.createMigrated()
      backend = await openMigrated(database)
      await register(backend, aClient('someone'))
      await mintAudited(backend, aToken('someone'))
    })
    afterEach(async () => {
      await backend.close()
      await database.drop()
    })

    const heads = async (where = '1 = 1') =>
      (await database.query(`select writer_id from oauth_audit_heads where ${where}`)).length

    test('is not overwritten: the calls that find it are committed once, in another chain', async () => {
      const before = await heads()
      const events = async () => (await database.query('select event_id from oauth_audit_log')).length
      const written = await events()
      await database.query('update oauth_audit_heads set sequence = sequence + 1000')
      await Promise.all(Array.from({ length: 20 }, () => mintAudited(backend, aToken('someone'))))
      expect(await heads('sequence > 1000')).toBe(before)
      expect(await heads()).toBe(before + 1)
      expect(await events()).toBe(written + 20)
    })
  })
}
