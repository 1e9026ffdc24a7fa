import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { clientId, epochMs } from '../../src/domain/ids.ts'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { type BackendOptions, openBackend } from '../../src/stores/open.ts'
import { type DatabaseProxy, startProxy } from '../setup/database-proxy.ts'
import { type FreshDatabase, mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'
import {
  aClient,
  anEvent,
  aToken,
  context,
  inTransaction,
  mint,
  openMigrated,
  options,
  ownTransaction,
  register,
} from './given.ts'

for (const kind of [mysqlDatabases, postgresDatabases]) {
  describe.skipIf(!kind.available)(`connections to ${kind.name}`, () => {
    let database: FreshDatabase
    const opened: Backend[] = []
    const proxies: DatabaseProxy[] = []
    beforeEach(async () => {
      database = await kind.createMigrated()
      const straight = await openMigrated(database)
      await register(straight, aClient('someone'))
      await straight.close()
    })
    afterEach(async () => {
      for (const backend of opened.splice(0)) await backend.close()
      for (const proxy of proxies.splice(0)) await proxy.close()
      await database.drop()
    })

    async function proxied(): Promise<DatabaseProxy> {
      const proxy = await startProxy(database.url)
      proxies.push(proxy)
      return proxy
    }
    async function open(url: string, more: Partial<BackendOptions> = {}): Promise<Backend> {
      const backend = await openBackend(url, { ...options, ...more })
      opened.push(backend)
      return backend
    }
    const through = (...addresses: readonly string[]) => database.url.replace(/@[^/]+\//, `@${addresses.join(',')}/`)
    const works = async (backend: Backend) => {
      await mint(backend, aToken('someone'))
      await inTransaction(backend, (stores) => stores.clients.lock(clientId('someone')))
      expect(await backend.reads.clients.find(context(), clientId('someone'))).not.toBeNull()
      expect(await backend.check()).toEqual({ serving: true })
    }

    test('that were all cut are reopened without an effect on calls', async () => {
      const proxy = await proxied()
      const backend = await open(proxy.url)
      const everything = () => Promise.all(Array.from({ length: 30 }, () => works(backend)))
      await everything()
      for (let round = 0; round < 3; round += 1) {
        proxy.cut()
        await new Promise((resolve) => setTimeout(resolve, 50))
        await everything()
      }
    })

    test('use the next host when the first one is missing, and when it stops', async () => {
      const [first, second] = [await proxied(), await proxied()]
      const absent = '127.0.0.1:1'
      const backend = await open(through(absent, first.address, second.address))
      await works(backend)
      expect(first.connections).toBeGreaterThan(0)
      expect(second.connections).toBe(0)
      first.refuse(true)
      first.cut()
      await new Promise((resolve) => setTimeout(resolve, 20))
      await works(backend)
      expect(second.connections).toBeGreaterThan(0)
      first.refuse(false)
      second.refuse(true)
      second.cut()
      await new Promise((resolve) => setTimeout(resolve, 20))
      await works(backend)
    })

    test('that no host accepts are reported for each host', async () => {
      await expect(openBackend(through('127.0.0.1:1', 'no-such-host.invalid'), options)).rejects.toMatchObject({
        fault: 'unavailable',
        message: expect.stringMatching(
          /no host of the database can be used \(127\.0\.0\.1: .*; no-such-host\.invalid: /,
        ),
      })
    })

    test('to an unresponsive server are given up after the time limit, and reopened', async () => {
      const proxy = await proxied()
      const backend = await open(proxy.url, {
        connections: { statementTimeoutMs: 300, connectTimeoutMs: 300 },
      })
      await works(backend)
      proxy.freeze()
      await expect(backend.reads.clients.find(context(), clientId('someone'))).rejects.toMatchObject({
        fault: 'unavailable',
        message: expect.stringContaining('did not answer within 300 ms'),
      })
      await expect(mint(backend, aToken('someone')).then(() => 'written')).rejects.toMatchObject({
        fault: 'unavailable',
      })
      expect(await backend.check()).toMatchObject({ serving: false })
      proxy.thaw()
      proxy.cut()
      await new Promise((resolve) => setTimeout(resolve, 50))
      await works(backend)
    })

    test('are limited by the pool, and calls that wait too long are refused', async () => {
      const proxy = await proxied()
      const backend = await open(proxy.url, { connections: { poolSize: 3 } })
      const { promise: released, resolve: release } = Promise.withResolvers<void>()
      const holding = ownTransaction(backend, context(), async () => {
        await released
        return { commit: false, value: null }
      })
      await expect(
        ownTransaction(backend, context({ deadline: epochMs(Date.now() + 100) }), async () => ({
          commit: false,
          value: 1,
        })),
      ).rejects.toMatchObject({ fault: 'unavailable', message: expect.stringContaining('became free in time') })
      release()
      await holding
      await Promise.all(Array.from({ length: 40 }, () => works(backend)))
      expect(proxy.connections).toBeLessThanOrEqual(3)
    })

    test('refuse calls beyond the queue limit at once, and lose none of the others', async () => {
      const backend = await open(database.url, { connections: { poolSize: 3 }, maxQueuedCalls: 5 })
      const outcomes = await Promise.allSettled(
        Array.from({ length: 50 }, () =>
          ownTransaction(backend, context(), async (stores) => {
            await stores.auditLog.append(anEvent())
            return { commit: true, value: null }
          }),
        ),
      )
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
      expect(outcomes.length - refused.length).toBeGreaterThanOrEqual(5)
      expect(refused.length).toBeGreaterThan(0)
      for (const { reason } of refused) expect(reason).toMatchObject({ fault: 'unavailable' })
      await works(backend)
    })
  })
}
