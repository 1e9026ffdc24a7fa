import { describe, expect, it, onTestFinished } from 'vitest'
import { mysqlDatabases, mysqlDatabasesOn, postgresDatabases, postgresDatabasesOn } from '../setup/fresh-database.ts'
import { startMysql } from '../setup/mysql.ts'
import { startPostgres } from '../setup/postgres.ts'
import { scaled } from '../setup/scale.ts'
import { type Instance, startInstances } from './instances.ts'
import { WatchedStorm } from './watched-storm.ts'

/** Each round has three kills. */
const ROUNDS = scaled(10)
/** The number of answered revocations before each kill, and during an outage of one instance. */
const BETWEEN = scaled(300, 30)

const KINDS = [
  { shared: mysqlDatabases, start: startMysql, on: mysqlDatabasesOn },
  { shared: postgresDatabases, start: startPostgres, on: postgresDatabasesOn },
]

for (const { shared, start, on } of KINDS) {
  describe.skipIf(!shared.available)(`caching verifiers on ${shared.name} under kills`, () => {
    it(
      `refuse revoked tokens within their bound, and no valid one (${3 * ROUNDS} kills)`,
      async () => {
        const server = await start()
        if (server === null) throw new Error('there is no server to kill')
        onTestFinished(() => server.stop())
        const database = await on(server.url).create()
        const instances = await startInstances([database.url, database.url])
        const watched = await WatchedStorm.start(instances)
        const killAndStart = async (victim: Instance, withDatabase: boolean) => {
          await watched.untilAnswered(BETWEEN)
          await Promise.all([victim.kill(), withDatabase ? server.kill() : null])
          if (withDatabase) await server.start()
          else await watched.untilAnswered(BETWEEN)
          await victim.start()
        }
        await watched.during(async () => {
          for (let round = 0; round < ROUNDS; round += 1) {
            const [one, two] = round % 2 === 0 ? instances : instances.toReversed()
            if (one === undefined || two === undefined) throw new Error('there are not two instances')
            await killAndStart(one, false)
            await killAndStart(two, true)
            await watched.untilAnswered(BETWEEN)
            await server.kill()
            await server.start()
          }
          await watched.untilAnswered(BETWEEN)
        })
        expect(watched.storm.refusals.length).toBeGreaterThan(0)
        await watched.expectKept(`${shared.name} under ${3 * ROUNDS} kills`)
        for (const instance of instances) await instance.stop()
      },
      120_000 + ROUNDS * 300_000,
    )
  })
}
