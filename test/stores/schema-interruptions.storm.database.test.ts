import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { uuidV7 } from '../../src/crypto/random.ts'
import type { Seed } from '../../src/stores/contract/migrations.ts'
import { dialectOf, openBackend } from '../../src/stores/open.ts'
import type { MigrationSession } from '../../src/stores/sql/core/dialect.ts'
import { DatabaseMigrations } from '../../src/stores/sql/migrate/migrate.ts'
import { MIGRATIONS } from '../../src/stores/sql/migrate/steps/all.ts'
import { qscope, run, temporaryDirectory } from '../e2e/process.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { scaled } from '../setup/scale.ts'
import { type Catalog, catalogOf } from './catalog.ts'
import { aClient, anEvent, change, options, quiet, seal } from './given.ts'
import { onSchema } from './on-schema.ts'

const SETTINGS = Object.freeze({
  walLimit: 67_108_864,
  poolSize: 4,
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 10_000,
  tls: null,
  authToken: null,
})
const TIMEOUT = 900_000

const seed: Seed = {
  seal,
  newId: uuidV7,
  fill: async (stores) => {
    if (!(await stores.clients.insert(aClient('admin'), change))) throw new Error('taken')
    await stores.auditLog.append(anEvent())
  },
}

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(`a migrator that dies on ${kind.name}`, () => {
    let reference: FreshDatabase
    let whole: Catalog
    beforeAll(async () => {
      reference = await kind.create()
      await onSchema(reference, (migrations) => migrations.up())
      whole = await catalogOf(reference)
    })
    afterAll(() => reference.drop())

    for (const direction of ['up', 'down'] as const) {
      test(
        `after any statement of ${direction} leaves a state that the next migrator completes`,
        async () => {
          const total = await statementsOf(direction)
          expect(total).toBeGreaterThan(50)
          for (const after of places(total)) {
            const database = await kind.create()
            try {
              await expect(interrupted(database, direction, after)).rejects.toThrow()
              await finishedByTheNext(database, after)
            } finally {
              await database.drop()
            }
          }
        },
        TIMEOUT,
      )
    }

    test(
      'while it reverts the last migration leaves a state in which down only completes that',
      async () => {
        const total = await statementsOf('down one')
        for (const after of places(total)) {
          const database = await kind.create()
          try {
            await expect(interrupted(database, 'down one', after)).rejects.toThrow()
            await onSchema(database, async (migrations) => {
              const { applied, underWay } = await migrations.status()
              const isUndone = underWay === null && applied.length < MIGRATIONS.length
              if (!isUndone) expect((await migrations.down()).migrations).toEqual([MIGRATIONS.at(-1)?.name])
              expect((await migrations.status()).applied).toEqual(MIGRATIONS.slice(0, -1).map(({ name }) => name))
            })
            await finishedByTheNext(database, after)
          } finally {
            await database.drop()
          }
        }
      },
      TIMEOUT,
    )

    test('by kill -9 prevents servers from serving until the next migrator has finished', async () => {
      const directory = await temporaryDirectory()
      for (let attempt = 0; ; attempt += 1) {
        expect(attempt).toBeLessThan(30)
        const database = await kind.create()
        onTestFinished(() => database.drop())
        const environment = { QSCOPE_DATABASE_URL: database.url, QSCOPE_KEYRING_FILE: `${directory}/keyring.json` }
        const migrator = qscope(directory, ['migrate', 'up'], environment)
        await Promise.race([
          migrator.ended,
          kind.dialect === 'sqlite' ? sleep(200 + attempt * 20) : someTables(database),
        ])
        migrator.child.kill('SIGKILL')
        await migrator.ended
        const status = await run(directory, ['migrate', 'status', '--json'], environment)
        const { fits, underWay } = JSON.parse(status.stdout)
        // Too late, or between two migrations.
        if (fits || (kind.dialect !== 'sqlite' && underWay === null)) continue
        expect(status.code).toBe(1)
        if (kind.dialect !== 'sqlite') expect(underWay).toMatchObject({ direction: 'up' })
        const backend = await openBackend(database.url, options)
        expect(await backend.check()).toMatchObject({ serving: false, problem: expect.stringContaining('migrate up') })
        expect(await run(directory, ['migrate', 'up'], environment)).toMatchObject({ code: 0, stderr: '' })
        expect(await backend.check()).toEqual({ serving: true })
        await backend.close()
        expect(await catalogOf(database)).toEqual(whole)
        return
      }
    }, 300_000)

    test('is not confused with a refused one, which reports the obstacle each time until it is removed', async () => {
      const database = await kind.create()
      onTestFinished(() => database.drop())
      await database.query('create table oauth_users (of_somebody_else varchar(10))')
      await onSchema(database, async (migrations) => {
        for (let attempt = 0; attempt < 3; attempt += 1) {
          await expect(migrations.up()).rejects.toThrow(/0002_users, statement 1 of 2: .*oauth_users.*exists/)
        }
        await database.query('drop table oauth_users')
        await migrations.up()
      })
      expect(await catalogOf(database)).toEqual(whole)
    })

    /** The number of statements of an uninterrupted migrator. */
    async function statementsOf(direction: Direction): Promise<number> {
      const database = await kind.create()
      try {
        return await interrupted(database, direction, Number.POSITIVE_INFINITY)
      } finally {
        await database.drop()
      }
    }

    async function finishedByTheNext(database: FreshDatabase, after: number): Promise<void> {
      await onSchema(database, async (migrations) => {
        await migrations.up({ seed })
        expect(await migrations.status(), `after ${after} statements`).toMatchObject({ underWay: null, problem: null })
      })
      expect(await catalogOf(database), `after ${after} statements`).toEqual(whole)
      const clients = await database.query('select client_id from oauth_clients')
      expect(clients.map((row) => row['client_id'])).toEqual(['admin'])
    }
  })
}

/** A sample of all statements; at the full scale, each of them. */
function places(total: number): readonly number[] {
  const stride = total / scaled(total, 6)
  return Array.from({ length: Math.ceil(total / stride) }, (_, place) => Math.floor(place * stride))
}

type Direction = 'up' | 'down' | 'down one'

/** Migrates on a connection that breaks after a number of statements; returns how many there were. */
async function interrupted(database: FreshDatabase, direction: Direction, after: number): Promise<number> {
  if (direction !== 'up') await onSchema(database, (migrations) => migrations.up({ seed }))
  const dialect = await dialectOf(database.url)
  const session = await dialect.connectForMigration(database.url, SETTINGS, quiet)
  let count = 0
  const breaking: MigrationSession = {
    types: session.types,
    exclusively: (work) => session.exclusively(work),
    transaction: (work) => session.transaction(work),
    close: () => session.close(),
    execute: async (statement, place) => {
      if (count === after) {
        await session.close()
        throw new Error('the connection is gone')
      }
      count += 1
      return await session.execute(statement, place)
    },
  }
  const migrations = new DatabaseMigrations(dialect, breaking)
  if (direction === 'up') await migrations.up({ seed })
  else await migrations.down({ all: direction === 'down' })
  await session.close()
  return count
}

/** If schema changes commit one by one, the first ones are visible before the last. */
async function someTables(database: FreshDatabase): Promise<void> {
  for (const until = Date.now() + 5_000; Date.now() < until; ) {
    if ((await database.tables()).length > 3) return
  }
}
