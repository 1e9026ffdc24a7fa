import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { startProxy } from '../setup/database-proxy.ts'
import { mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'
import { scaled } from '../setup/scale.ts'
import { seededRandom, testSeed } from '../setup/seeded-random.ts'
import { startServer } from '../setup/server.ts'
import { startMixedLoad } from './mixed-load.ts'
import { expectKept, expectSound } from './what-holds.ts'

const CUTS = scaled(400)
const SEED = testSeed()
/** More messages than a transaction takes. */
const WITHIN_MESSAGES = 40
/** Every nth cut is of all connections. */
const ALL_EVERY = 5
const PATIENCE_MS = 300_000

for (const kind of [mysqlDatabases, postgresDatabases]) {
  describe.skipIf(!kind.available)(`connections cut during transactions, on ${kind.name}`, () => {
    it(`lose no answered write, decide nothing twice, and recover (${CUTS} of 400 cuts)`, async () => {
      console.info(`cut at messages of QSCOPE_TEST_SEED=${SEED}`)
      const random = seededRandom(SEED)
      const database = await kind.createMigrated()
      const proxy = await startProxy(database.url)
      const server = await startServer(proxy.url)
      try {
        const load = await startMixedLoad([server])
        for (let cut = 1; cut <= CUTS; cut += 1) {
          await sleep(50 * random())
          if (cut % ALL_EVERY === 0) proxy.cut()
          else proxy.cutAtMessage(1 + Math.floor(WITHIN_MESSAGES * random()))
          const before = load.answered()
          for (const until = Date.now() + PATIENCE_MS; load.answered() < before + 20; await sleep(10)) {
            if (Date.now() > until) throw new Error('nothing is answered any more')
          }
        }
        const record = await load.stop()
        // A transaction that is rolled back may still hold its locks.
        await expectKept(server, load.client, record)
        await expectSound(database.query)
        const said = Object.groupBy(record.refusals, ({ status, reason }) => `${status} ${reason}`)
        console.info(
          `${kind.name}: ${record.answers} answers, ${record.refusals.length} refusals`,
          Object.fromEntries(Object.entries(said).map(([status, all]) => [status, all?.length])),
        )
        const clear = [
          'UNAVAILABLE OAUTH_TEMPORARILY_UNAVAILABLE',
          'ABORTED RESOURCE_OUTCOME_UNKNOWN',
          'ABORTED RESOURCE_CONFLICT',
        ]
        expect(Object.keys(said).filter((status) => !clear.includes(status))).toEqual([])
        expect(await server.app.backend.check()).toEqual({ serving: true })
      } finally {
        await server.stop()
        await proxy.close()
        await database.drop()
      }
    }, 600_000)
  })
}
