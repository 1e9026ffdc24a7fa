import { expect, it, onTestFinished } from 'vitest'
import { onEveryKind } from '../setup/every-kind.ts'
import { inFull, scaled } from '../setup/scale.ts'
import { startInstances } from './instances.ts'
import { WatchedStorm } from './watched-storm.ts'

/** Fewer than their share where not in full: each takes a dozen calls. */
const REVOCATIONS = inFull ? 100_000 : scaled(2_500, 60)
/** Against waiting for ever. */
const MS_PER_REVOCATION = 100

onEveryKind('verifiers that keep what they verified, on $name', (kind) => {
  it(
    `refuse what was revoked within their bound, and nothing that is good (${REVOCATIONS} revocations)`,
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
