import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { BatchScheduler } from '../../src/batching.ts'
import { CONNECTION_DEFAULTS } from '../../src/stores/open.ts'
import { embeddedDialect } from '../../src/stores/sql/dialects/sqlite/embedded-dialect.ts'
import { betterSqlite } from '../../src/stores/sql/dialects/sqlite/library.ts'
import { SqlBackend } from '../../src/stores/sql/engine/backend.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { eventsInIntactChains } from './chains-intact.ts'
import { aClient, aToken, context, mintAudited, openMigrated, options, quiet, register } from './given.ts'

const TURNS = 60
const CALLS_OF_A_TURN = 3

it.each(['before', 'after'])(
  'reports the true outcome of every batch in progress when its thread dies %s a commit',
  async (when) => {
    const { backend, whole } = await backendsOnOneFile(new URL(`./dying-writer-thread.ts?${when}`, import.meta.url))
    await register(whole, aClient('minter'))
    const already = await eventsInIntactChains(whole)
    const tokens = Array.from({ length: TURNS * CALLS_OF_A_TURN }, () => aToken('minter'))
    const minting: Promise<boolean>[] = []
    for (const token of tokens) {
      minting.push(
        mintAudited(backend, token).then(
          () => true,
          () => false,
        ),
      )
      if (minting.length % CALLS_OF_A_TURN === 0) await nextTurn()
    }
    const ended = await Promise.all(minting)
    const isStored = await Promise.all(
      tokens.map(async ({ tokenId }) => (await whole.reads.accessTokens.findById(context(), tokenId)) !== null),
    )
    expect(ended).toEqual(isStored)
    const stored = isStored.filter(Boolean).length
    expect(stored).toBeGreaterThan(0)
    expect(await eventsInIntactChains(whole)).toBe(already + stored)
  },
)

/** A backend whose writer thread dies repeatedly, and an intact one to read with. */
async function backendsOnOneFile(writerThread: URL) {
  const database = await sqliteFiles.create()
  const whole = await openMigrated(database)
  const dialect = embeddedDialect('sqlite', 'SQLite', { ...betterSqlite, writerThread })
  const connected = await dialect.connect(database.url, CONNECTION_DEFAULTS, quiet)
  const backend = new SqlBackend(dialect, connected, {
    ...options,
    maxQueuedCalls: 1_000,
    scheduler: new BatchScheduler(),
  })
  onTestFinished(async () => {
    await backend.close()
    await whole.close()
    await database.drop()
  })
  return { backend, whole }
}
