import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { mysqlDatabases, mysqlDatabasesOn } from '../setup/fresh-database.ts'
import { runSql } from '../setup/run-sql.ts'
import { scaled } from '../setup/scale.ts'
import { type PairMember, startSemiSynchronousPair } from '../setup/semi-synchronous-pair.ts'
import { expectSameRows, urlThrough } from './group-members.ts'
import { startMixedLoad } from './mixed-load.ts'
import { startWatchedServer } from './watched-server.ts'
import { expectKept, expectOnlyRetryable, expectSound, told } from './what-holds.ts'

/** Seconds of load before, between and after the promotions. */
const SECONDS = scaled(20, 2)
/** Shorter than the time limit of a statement. */
const ALONE_MS = 4_000

describe.skipIf(!mysqlDatabases.available)(
  'a semi-synchronous pair with the commands of docs/semi-synchronous-pair.md',
  () => {
    it('loses no answered write when the replica is promoted, and when the old primary is promoted again', async () => {
      const pair = await startSemiSynchronousPair()
      onTestFinished(async () => void (await Promise.all(pair.map((server) => server.stop()))))
      const [db1, db2] = pair
      const waits = async (source: PairMember) => {
        await source.run('Have commits wait')
        const clients = "show status like 'Rpl_semi_sync_source_clients'"
        await vi.waitFor(async () => expect(await runSql(source.url, clients)).toMatchObject([{ Value: '1' }]), {
          timeout: 30_000,
        })
      }
      await db1.run('The first set-up')
      await db2.copyFrom(db1)
      await db2.run('Follow', db1)
      await waits(db1)

      const database = await mysqlDatabasesOn(db1.url).create()
      const through = (...order: readonly number[]) => urlThrough(database.url, pair, order)
      const one = await startWatchedServer(through(0, 1))
      onTestFinished(() => one.stop())
      const two = await startWatchedServer(through(1, 0), one.keyring, one.first)
      onTestFinished(() => two.stop())
      const load = await startMixedLoad([one, two])
      onTestFinished(async () => void (await load.stop()))
      /** The time without an answered call. */
      const outage = async (promote: () => Promise<void>) => {
        await sleep(SECONDS * 1_000)
        const begun = Date.now()
        await promote()
        const before = load.answered()
        await vi.waitFor(() => expect(load.answered()).toBeGreaterThan(before), { timeout: 60_000, interval: 10 })
        return Date.now() - begun
      }

      const lost = await outage(async () => {
        await db1.kill()
        await db2.run('Promotion, when the primary is lost')
      })
      await db1.start()
      await sleep(SECONDS * 1_000)
      // A new instance skips it, although its URL names it first.
      const newcomer = await startWatchedServer(through(0, 1), one.keyring, one.first)
      expect(await newcomer.app.backend.check()).toEqual({ serving: true })
      await newcomer.stop()
      await db1.copyFrom(db2)
      await db1.run('Follow', db2)
      await waits(db2)

      const planned = await outage(async () => {
        await db2.run('Promotion while both run')
        await db1.run('Promotion, when the primary is lost')
      })
      await db2.run('Follow', db1)
      await waits(db1)
      await sleep(SECONDS * 1_000)

      const diagnostics = await one.app.backend.diagnostics()
      expect(diagnostics).toContainEqual({ name: 'semi_synchronous_replicas', value: '1', warning: null })
      // Writes are not answered while the replica cannot receive them.
      await db2.kill()
      await sleep(1_000)
      const alone = load.answered()
      await sleep(ALONE_MS)
      expect(load.answered()).toBe(alone)
      expect(await one.app.backend.check()).toMatchObject({ serving: false })
      await db2.start()
      await vi.waitFor(() => expect(load.answered()).toBeGreaterThan(alone), { timeout: 60_000 })

      const record = await load.stop()
      const there = await startWatchedServer(through(0), one.keyring, one.first)
      onTestFinished(() => there.stop())
      await expectKept(there, load.client, record)
      await expectSameRows(through(0), pair)
      await expectSound(database.query)
      console.info(
        `semi-synchronous pair: calls were answered ${lost} ms after the primary was killed (promotion included), ${planned} ms after it was set read-only; ${told(record)}`,
      )
      expectOnlyRetryable(record)
    }, 600_000)
  },
)
