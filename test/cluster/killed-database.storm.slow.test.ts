import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'vitest'
import { mysqlDatabases, mysqlDatabasesOn, postgresDatabases, postgresDatabasesOn } from '../setup/fresh-database.ts'
import { startMysql } from '../setup/mysql.ts'
import { startPostgres } from '../setup/postgres.ts'
import { scaled } from '../setup/scale.ts'
import { startServer } from '../setup/server.ts'
import { startMixedLoad } from './mixed-load.ts'
import { expectKept, expectOnlyRetryable, expectSound } from './what-holds.ts'

const ROUNDS = scaled(10, 2)

const KINDS = [
  { shared: mysqlDatabases, start: startMysql, on: mysqlDatabasesOn },
  { shared: postgresDatabases, start: startPostgres, on: postgresDatabasesOn },
]

for (const { shared, start, on } of KINDS) {
  describe.skipIf(!shared.available)(`a database killed under load, on ${shared.name}`, () => {
    it(`loses no answered write, and is used again without a restart of the instances (${ROUNDS} kills)`, async () => {
      const server = await start()
      if (server === null) throw new Error('there is no server to kill')
      const database = await on(server.url).create()
      const one = await startServer(database.url)
      const two = await startServer(database.url, one.keyring, one.first)
      try {
        const load = await startMixedLoad([one, two])
        for (let round = 0; round < ROUNDS; round += 1) {
          await sleep(500 + 200 * round)
          await server.kill()
          await sleep(300)
          await server.start()
          const before = load.answered()
          while (load.answered() < before + 50) await sleep(20)
        }
        const record = await load.stop()
        for (const instance of [one, two]) await expectKept(instance, load.client, record)
        await expectSound(database.query)
        expectOnlyRetryable(record)
        const { answers, refusals, longestSilenceMs } = record
        console.info(
          `${shared.name}: ${answers} answers, ${refusals.length} refusals, ${longestSilenceMs} ms at most without an answer`,
        )
      } finally {
        await two.stop()
        await one.stop()
        await server.stop()
      }
    }, 300_000)
  })
}
