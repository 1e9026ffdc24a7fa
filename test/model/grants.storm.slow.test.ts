import { assert, asyncModelRun, asyncProperty, commands, constantFrom } from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databaseKinds, type FreshDatabase, type MigratedKind, sqliteFiles } from '../setup/fresh-database.ts'
import { scaled } from '../setup/scale.ts'
import { profilesOf } from './profiles.ts'
import { step } from './step.ts'
import { checkSteps, compareAll } from './steps/checks.ts'
import { clientSteps, register } from './steps/clients.ts'
import { codeSteps } from './steps/codes.ts'
import { deviceSteps } from './steps/devices.ts'
import { exchangeSteps } from './steps/exchanges.ts'
import { refresh } from './steps/refreshes.ts'
import { revocationSteps } from './steps/revocations.ts'
import { userSteps } from './steps/users.ts'
import { openSystem, type System } from './system.ts'
import { World } from './world.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const DAY = 24 * HOUR
/** A run has half as many steps on average. */
const MOST_STEPS = 100
const MS_PER_RUN = 2_000

/** To reproduce a failure: the printed seed and path. */
const replay = {
  ...(process.env['QSCOPE_MODEL_SEED'] && { seed: Number(process.env['QSCOPE_MODEL_SEED']) }),
  ...(process.env['QSCOPE_MODEL_PATH'] && { path: process.env['QSCOPE_MODEL_PATH'] }),
}

const wait = step(
  'wait',
  constantFrom(1, 999, SECOND, 4_999, 5 * SECOND, 9_999, 10 * SECOND, 59_999, 60 * SECOND),
  async (_world, system, ms) => system.advance(ms),
)
const waitLong = step(
  'waitLong',
  constantFrom(600 * SECOND, HOUR, HOUR, DAY, DAY, 30 * DAY, 90 * DAY),
  async (_world, system, ms) => system.advance(ms),
)

/** The background work of the server. It must have no visible effect. */
const purge = step('purge', constantFrom(null), async (world, system) => {
  await system.purge()
  world.forgetExpired()
})

/** All steps; a repeated one is more frequent. */
const STEPS = [
  ...clientSteps,
  ...userSteps,
  ...deviceSteps,
  ...revocationSteps,
  ...checkSteps,
  ...codeSteps,
  ...Array.from({ length: 12 }, () => refresh),
  ...exchangeSteps,
  ...Array.from({ length: 5 }, () => wait),
  waitLong,
  waitLong,
  purge,
]

function compareWithModel(kind: MigratedKind, runs: number) {
  describe.skipIf(!kind.available)(`the model of the rules on ${kind.name}`, () => {
    let database: FreshDatabase | null = null
    let system: System | null = null
    beforeAll(async () => {
      database = await kind.createMigrated()
      system = await openSystem(database.url)
    })
    afterAll(async () => {
      await system?.close()
      await database?.drop()
    })

    it(`finds no difference in ${runs} runs`, { timeout: 20_000 + runs * MS_PER_RUN }, async () => {
      let attempts = 0
      let steps = 0
      const property = asyncProperty(commands(STEPS, { maxCommands: MOST_STEPS, size: 'max' }), async (chosen) => {
        const real = system
        if (real === null) throw new Error('the system is not open')
        attempts += 1
        const run = `run${attempts}`
        const world = new World(run, real.now)
        for (const profile of profilesOf(run)) await register(world, real, `${run}-${profile.name}`, profile)
        await asyncModelRun(() => ({ model: world, real }), chosen)
        await compareAll(world, real)
        steps += world.steps
        // Resets the limits on wrong user codes.
        real.advance(DAY)
      })
      await assert(property, { numRuns: runs, ...replay })
      expect(steps).toBeGreaterThan(0)
      console.info(`${kind.name}: ${runs} runs, ${steps} steps`)
    })
  })
}

for (const kind of databaseKinds) compareWithModel(kind, scaled(kind === sqliteFiles ? 2_000 : 200))
