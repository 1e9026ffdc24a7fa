import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { HealthMonitor } from '../../src/app/health-monitor.ts'
import { clientId } from '../../src/domain/ids.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import type { Backend } from '../../src/stores/contract/backend.ts'
import type { MigrationOutcome } from '../../src/stores/contract/migrations.ts'
import { openBackend } from '../../src/stores/open.ts'
import { MIGRATIONS } from '../../src/stores/sql/migrate/steps/all.ts'
import type { MigrationStep } from '../../src/stores/sql/migrate/steps/migration-step.ts'
import { refusalOf } from '../setup/client.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { grantsOn } from '../setup/grants.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { keepWorking } from './busy-server.ts'
import { aClient, context, options, quiet, register } from './given.ts'
import { ADDITIVE, BREAKING, DROPPING, LATER, NEXT } from './next-migrations.ts'
import { onSchema } from './on-schema.ts'

const CALLERS = 4

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(`rolling upgrades on ${kind.name}`, () => {
    test('keep an old server answering during an additive migration, and next to a new one; a breaking one stops it', async () => {
      const database = await kind.create()
      onTestFinished(() => database.drop())
      const old = await startServer(database.url)
      onTestFinished(() => old.stop())
      const monitor = new HealthMonitor(old.app, quiet, 1_000)
      await monitor.start()
      onTestFinished(() => monitor.stop())
      const work = keepWorking(old, CALLERS)
      onTestFinished(async () => void (await work.stop()))

      // First the schema ...
      await work.rounds(CALLERS)
      expect(await up(database, NEXT)).toEqual({ migrations: [ADDITIVE.name], seeded: false })
      await work.rounds(CALLERS * 3)
      expect(await old.app.backend.check()).toEqual({ serving: true })

      // ... then the servers, one by one.
      const next = await openBackend(database.url, { ...options, migrations: NEXT })
      onTestFinished(() => next.close())
      expect(await next.check()).toEqual({ serving: true })
      await worksBeside(next, old)
      await work.rounds(CALLERS)
      expect(await work.stop()).toEqual([])

      await onSchema(database, async (migrations) => {
        expect(await migrations.status()).toMatchObject({ unknown: [ADDITIVE.name], pending: [], problem: null })
        expect(await migrations.up()).toEqual({ migrations: [], seeded: false })
        await expect(migrations.down()).rejects.toThrow(/9001_additive.*newer server/)
      })

      await up(database, LATER)
      const advice = /newer than this server.*9002_breaking.*run a newer server/
      expect(await next.check()).toMatchObject({ serving: false, problem: expect.stringMatching(advice) })
      await expect.poll(() => old.app.state.serving, { timeout: 60_000 }).toBe(false)
      expect(await old.app.backend.check()).toMatchObject({ serving: false, problem: expect.stringMatching(advice) })
      expect(await refusalOf(grantsOn(old).mint(old.admin))).toMatchObject({ status: 'UNAVAILABLE' })
      await onSchema(
        database,
        async (migrations) => {
          expect((await migrations.status()).problem).toMatch(advice)
          await expect(migrations.up()).rejects.toThrow(advice)
        },
        NEXT,
      )

      await onSchema(
        database,
        async (migrations) => {
          expect((await migrations.down()).migrations).toEqual([BREAKING.name])
          await expect.poll(() => old.app.state.serving, { timeout: 60_000 }).toBe(true)
          expect((await migrations.down()).migrations).toEqual([ADDITIVE.name])
        },
        LATER,
      )
      await grantsOn(old).signIn(await grantsOn(old).webClient())
    }, 300_000)

    if (kind.dialect !== 'sqlite') {
      test('wait for a locked table without blocking the servers', async () => {
        const database = await kind.create()
        onTestFinished(() => database.drop())
        const old = await startServer(database.url)
        onTestFinished(() => old.stop())
        const release = await holdTable(database, 'oauth_users')
        const work = keepWorking(old, CALLERS)
        const migration = up(database, NEXT)
        await work.rounds(CALLERS)
        expect((await database.query('select running_migration from qscope_schema'))[0]).toEqual({
          running_migration: ADDITIVE.name,
        })
        await release()
        expect((await migration).migrations).toEqual([ADDITIVE.name])
        await work.rounds(CALLERS)
        expect(await work.stop()).toEqual([])
      }, 300_000)
    }

    test('start with the schema: a new server does not serve on the old one, and reports it', async () => {
      const database = await kind.create()
      onTestFinished(() => database.drop())
      await up(database, MIGRATIONS)
      const next = await openBackend(database.url, { ...options, migrations: NEXT })
      onTestFinished(() => next.close())
      const advice = /older than this server.*9001_additive.*qscope migrate up/
      expect(await next.check()).toMatchObject({ serving: false, problem: expect.stringMatching(advice) })
      await up(database, NEXT)
      expect(await next.check()).toEqual({ serving: true })
    })

    test('keep the previous version running when something that it does not use is dropped, and stop the one before', async () => {
      const database = await kind.create()
      onTestFinished(() => database.drop())
      const dropped = [...NEXT, DROPPING]
      await up(database, NEXT)
      const old = await openBackend(database.url, options)
      const next = await openBackend(database.url, { ...options, migrations: NEXT })
      onTestFinished(async () => void (await Promise.all([old.close(), next.close()])))
      for (const backend of [old, next]) expect(await backend.check()).toEqual({ serving: true })
      await up(database, dropped)
      expect(await next.check()).toEqual({ serving: true })
      expect(await old.check()).toMatchObject({
        serving: false,
        problem: expect.stringContaining('run a newer server'),
      })
      await onSchema(database, (migrations) => migrations.down(), dropped)
      expect(await old.check()).toEqual({ serving: true })
    })
  })
}

/** Reads a table in a transaction that does not end; the returned function ends it. */
async function holdTable({ kind, url }: FreshDatabase, table: string): Promise<() => Promise<void>> {
  const read = ['begin', `select count(*) from ${table}`]
  if (kind.dialect === 'mysql') {
    const connection = await createConnection(url)
    for (const sql of read) await connection.query(sql)
    return () => connection.end()
  }
  const client = new Client({ connectionString: url })
  await client.connect()
  for (const sql of read) await client.query(sql)
  return () => client.end()
}

/** Each server reads what the other one writes. */
async function worksBeside(next: Backend, old: TestServer): Promise<void> {
  const id = old.unique('new-')
  await register(next, aClient(id))
  const bearer = { bearer: old.admin.token }
  const { client } = await old.call(ClientService.method.getClient, { clientId: id }, bearer)
  expect(client?.displayName).toBe(`Client ${id}`)
  const registered = await old.registerClient({})
  expect(await next.reads.clients.find(context(), clientId(registered.clientId))).not.toBeNull()
}

async function up(database: FreshDatabase, steps: readonly MigrationStep[]): Promise<MigrationOutcome> {
  return await onSchema(database, (migrations) => migrations.up(), steps)
}
