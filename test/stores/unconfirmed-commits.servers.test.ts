import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { clientId, epochMs } from '../../src/domain/ids.ts'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { openBackend } from '../../src/stores/open.ts'
import { type CommitFault, type DatabaseProxy, startProxy } from '../setup/database-proxy.ts'
import { type FreshDatabase, libsqlDatabases, mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'
import { aClient, anEvent, aToken, change, context, openMigrated, options, ownTransaction, register } from './given.ts'

for (const kind of [mysqlDatabases, postgresDatabases, libsqlDatabases]) {
  describe.skipIf(!kind.available)(`a commit that is not confirmed on ${kind.name}`, () => {
    let database: FreshDatabase
    let proxy: DatabaseProxy
    let backend: Backend
    beforeEach(async () => {
      database = await kind.createMigrated()
      const straight = await openMigrated(database)
      await register(straight, aClient('someone'))
      await straight.close()
      proxy = await startProxy(database.url)
      backend = await openBackend(proxy.url, options)
    })
    afterEach(async () => {
      await backend.close()
      await proxy.close()
      await database.drop()
    })

    const count = async (sql: string) => {
      const [row] = await database.query(sql)
      return Number(Object.values(row ?? {})[0])
    }
    const tokens = () => count('select count(*) from oauth_access_tokens')
    const chainEnds = () => count('select coalesce(sum(sequence), 0) from oauth_audit_heads')
    const events = () => count('select count(*) from oauth_audit_log')
    const mint = (over = {}) => mintOn(backend, over)
    const mintOn = (on: Backend, over = {}) =>
      on.append(context(over), (stores) => {
        void stores.accessTokens.insert(aToken('someone'))
        void stores.auditLog.append(anEvent())
      })

    test('does not happen if the connection is cut before it, during a wait for a row', async () => {
      const straight = await openBackend(database.url, options)
      const before = await events()
      await mint()
      const held = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      const holding = ownTransaction(straight, context(), async (stores) => {
        await stores.clients.lock(clientId('someone'))
        held.resolve()
        await release.promise
        return { commit: true, value: null }
      })
      await held.promise
      const minting = mint()
      await new Promise((resolve) => setTimeout(resolve, 200))
      proxy.cut()
      await new Promise((resolve) => setTimeout(resolve, 200))
      release.resolve()
      await holding
      await minting
      await mint()
      expect(await tokens()).toBe(3)
      expect(await events()).toBe(before + 3)
      expect(await chainEnds()).toBe(before + 3)
      await straight.close()
    })

    // libSQL queries the stream of a commit instead, and sends no commit with its rows.
    if (kind !== libsqlDatabases)
      test('does not happen if it arrives after it was read back', async () => {
        const before = await events()
        await mint()
        proxy.failNextCommit('late')
        await mint()
        expect(proxy.failed).toBe(true)
        await mint()
        expect(await tokens()).toBe(3)
        expect(await events()).toBe(before + 3)
        expect(await chainEnds()).toBe(before + 3)
      })

    // A libSQL database has one host.
    if (kind !== libsqlDatabases)
      test('in time makes all connections leave the host for the next one', async () => {
        const other = await startProxy(database.url)
        const url = database.url.replace(/@[^/]+\//, `@${proxy.address},${other.address}/`)
        const connections = { connectTimeoutMs: 400, statementTimeoutMs: 5_000 }
        const both = await openBackend(url, { ...options, connections })
        try {
          const before = await events()
          await mintOn(both)
          expect(other.connections).toBe(0)
          proxy.failNextCommit('swallowed')
          await mintOn(both)
          expect(proxy.failed).toBe(true)
          expect(await events()).toBe(before + 2)
          expect(await chainEnds()).toBe(before + 2)
          expect(other.connections).toBeGreaterThan(0)
          proxy.freeze()
          await both.reads.clients.find(context(), clientId('someone'))
          await mintOn(both)
          expect(await both.check()).toEqual({ serving: true })
        } finally {
          await both.close()
          await other.close()
        }
      })

    // The others read it back on another connection; libSQL queries the stream of the commit.
    if (kind === libsqlDatabases)
      test('is logged with the reason if its outcome cannot be queried', async () => {
        const lines: { readonly level: number; readonly msg: string; readonly err?: { readonly message: string } }[] =
          []
        const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
        const told = await openBackend(proxy.url, { ...options, log })
        await mintOn(told)
        proxy.failNextCommit('dropped', 600)
        await mintOn(told)
        await told.close()
        const asked = lines.filter(({ msg }) => msg === 'the outcome of a commit could not be looked up')
        expect(asked).toMatchObject([{ level: 20, err: { message: expect.stringContaining('the database') } }])
      })

    for (const fault of ['dropped', 'unanswered'] as const satisfies readonly CommitFault[]) {
      test(`is read back: rows are appended once, as the first batch or later (${fault})`, async () => {
        const before = await events()
        proxy.failNextCommit(fault)
        await mint()
        expect(proxy.failed).toBe(true)
        await mint()
        proxy.failNextCommit(fault)
        await mint()
        await mint()
        expect(await tokens()).toBe(4)
        expect(await events()).toBe(before + 4)
        expect(await chainEnds()).toBe(before + 4)
      })

      test(`is read back: a decision is made once (${fault})`, async () => {
        let runs = 0
        const decide = () =>
          ownTransaction(backend, context(), async (stores) => {
            runs += 1
            const won = await stores.clients.startTokenGeneration(clientId('someone'), change)
            await stores.auditLog.append(anEvent())
            return { commit: won, value: won }
          })
        const generation = async () =>
          (await backend.reads.clients.find(context(), clientId('someone')))?.tokenGeneration
        proxy.failNextCommit(fault)
        expect(await decide()).toBe(true)
        expect(proxy.failed).toBe(true)
        expect(await generation()).toBe(2)
        expect(runs).toBe(fault === 'dropped' ? 2 : 1)
        proxy.failNextCommit(fault)
        await decide()
        expect(await generation()).toBe(3)
      })

      test(`is read back: decisions that share a commit are made once each (${fault})`, async () => {
        const before = await events()
        const won = () => {
          const token = aToken('someone')
          return backend.transaction(context(), async (stores) => {
            await stores.accessTokens.insert(token)
            const revoked = await stores.accessTokens.revoke(token, 'test', change)
            await stores.auditLog.append(anEvent())
            return { commit: revoked, value: revoked }
          })
        }
        for (const round of [1, 2]) {
          proxy.failNextCommit(fault)
          expect(await Promise.all([won(), won(), won()])).toEqual([true, true, true])
          expect(proxy.failed).toBe(true)
          expect(await tokens()).toBe(3 * round)
          expect(await events()).toBe(before + 3 * round)
          expect(await chainEnds()).toBe(before + 3 * round)
        }
      })

      test(`is read back as soon as the database is available again (${fault})`, async () => {
        await mint()
        proxy.failNextCommit(fault, 600)
        await mint()
        expect(await tokens()).toBe(2)
      })

      test(`stays unknown if the database is unreachable until the deadline, and the next call is served (${fault})`, async () => {
        await mint()
        proxy.failNextCommit(fault, 900)
        await expect(mint({ deadline: epochMs(Date.now() + 400) })).rejects.toMatchObject({ fault: 'outcome_unknown' })
        await expect(mint({ deadline: epochMs(Date.now() + 100) })).rejects.toMatchObject({ fault: 'unavailable' })
        await new Promise((resolve) => setTimeout(resolve, 700))
        await mint()
        expect(await tokens()).toBe(fault === 'dropped' ? 2 : 3)
        expect(await events()).toBe(await chainEnds())
      })
    }
  })
}
