import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'vitest'
import { mariadbDatabasesOn } from '../setup/fresh-database.ts'
import { galeraIsInstalled, startGalera } from '../setup/galera.ts'
import { scaled } from '../setup/scale.ts'
import { startServer } from '../setup/server.ts'
import { startMixedLoad } from './mixed-load.ts'
import { expectKept, expectOnlyRetryable, expectSound } from './what-holds.ts'

/** Seconds of load before, between and after the two kills. */
const SECONDS = scaled(20, 2)

describe.skipIf(!galeraIsInstalled)('a Galera cluster of three nodes', () => {
  it(`loses no answered write when a node is killed and restarted, twice (${3 * SECONDS} s of load)`, async () => {
    const cluster = await startGalera()
    const hosts = cluster.nodes.map(({ url }) => new URL(url).host)
    const database = await mariadbDatabasesOn(cluster.nodes[0]?.url ?? null).create()
    const over = (...order: readonly number[]) =>
      database.url.replace(hosts[0] ?? '', order.map((n) => hosts[n]).join(','))
    const one = await startServer(over(0, 1, 2))
    const two = await startServer(over(1, 2, 0), one.keyring, one.first)
    try {
      const load = await startMixedLoad([one, two])
      // The node of the first instance, then that of the second.
      for (const victim of [0, 1]) {
        await sleep(SECONDS * 1_000)
        await cluster.nodes[victim]?.kill()
        await sleep(SECONDS * 1_000)
        await cluster.nodes[victim]?.start()
      }
      await sleep(SECONDS * 1_000)
      const record = await load.stop()
      for (const [n] of hosts.entries()) {
        const server = await startServer(over(n), one.keyring, one.first)
        await expectKept(server, load.client, record)
        await server.stop()
      }
      await expectSound(database.query)
      expectOnlyRetryable(record)
      const { answers, refusals, longestSilenceMs } = record
      console.info(
        `galera: ${answers} answers, ${refusals.length} refusals, ${longestSilenceMs} ms at most without an answer`,
      )
    } finally {
      await two.stop()
      await one.stop()
      await cluster.stop()
    }
  }, 600_000)
})
