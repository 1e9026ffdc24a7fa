import { describe, it, onTestFinished } from 'vitest'
import { mariadbDatabasesOn, mysqlDatabasesOn } from '../setup/fresh-database.ts'
import { galeraIsInstalled, startGalera } from '../setup/galera.ts'
import { type GroupMember, groupReplicationIsInstalled, startGroupReplication } from '../setup/group-replication.ts'
import { scaled } from '../setup/scale.ts'
import { memberOf, primaryAmong, urlThrough } from './group-members.ts'
import { startInstances } from './instances.ts'
import { WatchedStorm } from './watched-storm.ts'

const KILLS = scaled(2, 1)
/** The number of answered revocations before and after a kill. */
const BETWEEN = scaled(500, 50)
/** The pause of each worker while a member catches up, which must apply faster than the others write. */
const EASED_REST_MS = 4_000
const TIMEOUT_MS = 1_800_000

/** Kills members under load, one after the other; each is restarted before the next kill. */
async function killSome(
  watched: WatchedStorm,
  next: (kill: number) => Promise<Pick<GroupMember, 'kill' | 'start'>>,
): Promise<void> {
  await watched.untilAnswered(BETWEEN)
  for (let kill = 0; kill < KILLS; kill += 1) {
    const victim = await next(kill)
    await victim.kill()
    await watched.untilAnswered(BETWEEN)
    if (kill === KILLS - 1) return
    watched.storm.rest(EASED_REST_MS)
    await victim.start()
    watched.storm.rest(0)
    await watched.untilAnswered(BETWEEN)
  }
}

describe.skipIf(!groupReplicationIsInstalled)('caching verifiers on a group', () => {
  it(
    `refuse revoked tokens within their bound, and no valid one, when the primary is killed (${KILLS} times)`,
    async () => {
      const group = await startGroupReplication({ multiPrimary: false, expelAfterSeconds: 0 })
      onTestFinished(() => group.stop())
      const { members } = group
      const database = await mysqlDatabasesOn(memberOf(members, 0).url).create()
      const through = (...order: readonly number[]) => urlThrough(database.url, members, order)
      const instances = await startInstances([through(0, 1, 2), through(1, 2, 0)])
      const watched = await WatchedStorm.start(instances)
      await watched.during(() =>
        killSome(watched, async () => memberOf(members, await primaryAmong(members, [0, 1, 2]))),
      )
      await watched.expectKept(`group replication, its primary killed ${KILLS} times`)
      for (const instance of instances) await instance.stop()
    },
    TIMEOUT_MS,
  )
})

describe.skipIf(!galeraIsInstalled)('caching verifiers on a Galera cluster', () => {
  it(
    `refuse revoked tokens within their bound, and no valid one, when one of two written nodes is killed (${KILLS} times)`,
    async () => {
      const cluster = await startGalera()
      onTestFinished(() => cluster.stop())
      const { nodes } = cluster
      const database = await mariadbDatabasesOn(memberOf(nodes, 0).url).create()
      const through = (...order: readonly number[]) => urlThrough(database.url, nodes, order)
      // Each continues with the third node, which is unused until then.
      const instances = await startInstances([through(0, 2), through(1, 2)])
      const watched = await WatchedStorm.start(instances)
      await watched.during(() => killSome(watched, async (kill) => memberOf(nodes, kill % 2)))
      await watched.expectKept(`galera, of two written nodes one killed ${KILLS} times`)
      for (const instance of instances) await instance.stop()
    },
    TIMEOUT_MS,
  )
})
