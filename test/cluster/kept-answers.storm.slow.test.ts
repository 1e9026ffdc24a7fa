import { expect, it, onTestFinished } from 'vitest'
import { onEveryKind } from '../setup/every-kind.ts'
import { inFull, scaled } from '../setup/scale.ts'
import { startInstances } from './instances.ts'
import { WatchedStorm } from './watched-storm.ts'

/** Reduced further outside a full run, since each takes a dozen calls. */
const REVOCATIONS = inFull ? 100_000 : scaled(1_000, 60)
/** For the time limit of the test. */
const MS_PER_REVOCATION = 100

onEveryKind('caching verifiers on $name', (kind) => {
  it(
    `refuse revoked tokens within their bound, and no valid one (${REVOCATIONS} revocations)`,
    async () => {
      const database = await kind.createMigrated()
      onTestFinished(() => database.drop())
      const instances = await startInstances([database.url, database.url])
      const watched = await WatchedStorm.start(instances)
      let left = REVOCATIONS
      await watched.storm.run(() => {
        left -= 1
        return left >= 0
      })
      expect(watched.storm.refusals.filter(({ hasRetryInfo }) => !hasRetryInfo)).toEqual([])
      await watched.expectKept(kind.name)
      for (const instance of instances) await instance.stop()
    },
    120_000 + REVOCATIONS * MS_PER_REVOCATION,
  )
})
