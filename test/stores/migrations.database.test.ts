import { rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { uuidV7 } from '../../src/crypto/random.ts'
import { clientId } from '../../src/domain/ids.ts'
import type { Seed } from '../../src/stores/contract/migrations.ts'
import { openBackend, openMigrations } from '../../src/stores/open.ts'
import { embeddedFile } from '../../src/stores/sql/dialects/sqlite/location.ts'
import { MIGRATIONS } from '../../src/stores/sql/migrate/steps/all.ts'
import { databaseKinds, type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import {
  aClient,
  anEvent,
  change,
  context,
  inTransaction,
  options,
  ownTransaction,
  quiet,
  register,
  seal,
} from './given.ts'

const NAMES = [
  '0001_clients',
  '0002_users',
  '0003_grants',
  '0004_access_tokens',
  '0005_device_codes',
  '0006_leases',
  '0007_audit_log',
  '0008_signing_keys',
  '0009_assertion_ids',
  '0010_audit_events_by_type',
  '0011_revocations',
  '0012_own_secret_rotation',
  '0013_owners',
  '0014_audit_followers',
  '0015_scope_usage',
  '0016_trusted_issuers',
  '0017_federated_identities',
  '0018_extra_claims',
]
const LAST = '0018_extra_claims'
/** The last migration that servers must know. */
const SERVERS_FROM = '0011_revocations'

const seed: Seed = {
  seal,
  newId: uuidV7,
  fill: async (stores) => {
    if (!(await stores.clients.insert(aClient('admin'), change))) throw new Error('taken')
    await stores.auditLog.append(anEvent())
  },
}

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(`migrations on ${kind.name}`, () => {
    let database: FreshDatabase
    beforeEach(async () => {
      database = await kind.create()
    })
    afterEach(() => database.drop())

    async function withMigrations<T>(work: (migrations: Awaited<ReturnType<typeof openMigrations>>) => Promise<T>) {
      const migrations = await openMigrations(database.url, quiet)
      try {
        return await work(migrations)
      } finally {
        await migrations.close()
      }
    }

    test('go up, down step by step and up again', async () => {
      await withMigrations(async (migrations) => {
        expect(await migrations.isEmpty()).toBe(true)
        expect(await migrations.status()).toMatchObject({
          applied: [],
          pending: NAMES,
          unknown: [],
          auditProtection: null,
        })
        expect(await migrations.up()).toEqual({ migrations: NAMES, seeded: false })
        expect(await migrations.up()).toEqual({ migrations: [], seeded: false })
        expect(await migrations.isEmpty()).toBe(false)
        expect(await migrations.status()).toEqual({
          applied: NAMES,
          pending: [],
          unknown: [],
          serversFrom: SERVERS_FROM,
          auditProtection: 'triggers',
          underWay: null,
          problem: null,
        })
        expect((await migrations.down()).migrations).toEqual([LAST])
        expect((await migrations.down({ all: true })).migrations).toEqual(NAMES.slice(0, -1).toReversed())
        expect(await database.tables()).toEqual([])
        expect(await migrations.isEmpty()).toBe(true)
        expect((await migrations.up()).migrations).toEqual(NAMES)
      })
      const backend = await openBackend(database.url, options)
      await register(backend, aClient('after'))
      expect(await backend.check()).toEqual({ serving: true })
      await backend.close()
    })

    test('are applied and seeded once by ten concurrent migrators', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, () => withMigrations((migrations) => migrations.up({ seed }))),
      )
      expect(outcomes.filter((outcome) => outcome.migrations.length > 0)).toHaveLength(1)
      expect(outcomes.filter((outcome) => outcome.seeded)).toHaveLength(1)
      const backend = await openBackend(database.url, options)
      expect(await backend.reads.clients.find(context(), clientId('admin'))).not.toBeNull()
      expect(await backend.reads.auditLog.keyIds(context())).toEqual([seal.keyId])
      await backend.close()
    })

    test('of revocations stop servers that would not publish them, and keep the existing rows', async () => {
      // Stores use columns of later steps, which servers of that version did not.
      const before = MIGRATIONS.filter(({ name }) => name !== '0011_revocations')
      const onSchema = await openMigrations(database.url, quiet, {}, before)
      await onSchema.up()
      await onSchema.close()
      const old = await openBackend(database.url, { ...options, migrations: before })
      try {
        expect(await old.check()).toEqual({ serving: true })
        await register(old, aClient('kept'))
        await withMigrations((migrations) => migrations.up())
        expect(await old.check()).toMatchObject({
          serving: false,
          problem: expect.stringMatching(/newer than this server.*0011_revocations.*run a newer server/),
        })
        const revoking = inTransaction(old, (stores) => stores.clients.startTokenGeneration(clientId('kept'), change))
        await expect(revoking).rejects.toMatchObject({ fault: 'unavailable' })
        const current = await openBackend(database.url, options)
        expect(await current.check()).toEqual({ serving: true })
        expect(await current.reads.clients.find(context(), clientId('kept'))).toMatchObject({ tokenGeneration: 1 })
        await current.close()
      } finally {
        await old.close()
      }
    })

    test('that are missing or unknown prevent a server from serving, and it states the remedy', async () => {
      const backend = await openBackend(database.url, options)
      expect(await backend.check()).toMatchObject({ serving: false, problem: expect.stringContaining('migrate up') })
      await withMigrations((migrations) => migrations.up())
      expect(await backend.check()).toEqual({ serving: true })
      await withMigrations((migrations) => migrations.down())
      expect(await backend.check()).toMatchObject({
        serving: false,
        problem: expect.stringMatching(new RegExp(`older than this server.*${LAST}.*qscope migrate up`)),
      })
      await withMigrations((migrations) => migrations.up())
      await database.query("insert into qscope_migrations (name, applied_at) values ('0999_future', 0)")
      await database.query("update qscope_schema set servers_from = '0999_future'")
      expect(await backend.check()).toMatchObject({
        serving: false,
        problem: expect.stringMatching(/newer than this server.*0999_future.*newer server/),
      })
      await withMigrations(async (migrations) => {
        expect((await migrations.status()).unknown).toEqual(['0999_future'])
        await expect(migrations.up()).rejects.toMatchObject({ fault: 'broken' })
        await expect(migrations.down()).rejects.toThrow(/newer server/)
      })
      await backend.close()
    })
  })
}

describe('on sqlite', () => {
  let database: FreshDatabase
  beforeEach(async () => {
    database = await sqliteFiles.create()
  })
  afterEach(() => database.drop())
  const fileOf = () => embeddedFile(database.url) ?? ''

  test('leaves nothing of a migration whose seed fails', async () => {
    const migrations = await openMigrations(database.url, quiet)
    const failing: Seed = { ...seed, fill: () => Promise.reject(new Error('no keyring')) }
    await expect(migrations.up({ seed: failing })).rejects.toThrow('no keyring')
    expect(await migrations.isEmpty()).toBe(true)
    expect(await migrations.up({ seed })).toEqual({ migrations: NAMES, seeded: true })
    await migrations.close()
  })

  test('creates the directory and the file, private to their owner', async () => {
    const file = join(dirname(fileOf()), 'new', 'deep', 'qscope.db')
    const migrations = await openMigrations(`sqlite:${file}`, quiet)
    await migrations.up()
    await migrations.close()
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700)
  })

  test('keeps a database in memory, migrated, until it is closed', async () => {
    const backend = await openBackend('sqlite::memory:', options)
    expect(await backend.check()).toEqual({ serving: true })
    await register(backend, aClient('fleeting'))
    expect(await backend.reads.clients.find(context(), clientId('fleeting'))).not.toBeNull()
    await backend.close()
  })

  test('reports a file that is not a database or cannot be created, and a missing server', async () => {
    writeFileSync(fileOf(), 'this is a text file and no database at all, whatever its name may say\n'.repeat(100))
    await expect(openBackend(database.url, options)).rejects.toMatchObject({
      fault: 'broken',
      message: expect.stringContaining('is not an SQLite database'),
    })
    await expect(openMigrations(database.url, quiet)).rejects.toMatchObject({ fault: 'broken' })
    await expect(openBackend(`sqlite:${fileOf()}/below/a/file.db`, options)).rejects.toMatchObject({
      fault: 'unavailable',
      message: expect.stringContaining('cannot be created'),
    })
    await expect(openBackend('oracle://db', options)).rejects.toThrow(/has no database for URLs of oracle/)
    for (const scheme of ['mysql', 'postgres']) {
      const url = `${scheme}://nobody:x@127.0.0.1:1/none`
      await expect(openBackend(url, options)).rejects.toMatchObject({ fault: 'unavailable' })
    }
    rmSync(fileOf())
  })

  test("waits out another process's lock until the deadline, and writes nothing then", async () => {
    const migrations = await openMigrations(database.url, quiet)
    await migrations.up({ seed })
    const backend = await openBackend(database.url, options)
    const lock = lockFile(fileOf())
    const deadline = context({ deadline: (Date.now() + 400) as ReturnType<typeof context>['now'] })
    await expect(
      ownTransaction(backend, deadline, async (stores) => ({
        commit: await stores.clients.insert(aClient('late'), change),
        value: null,
      })),
    ).rejects.toMatchObject({ fault: 'unavailable' })
    const event = anEvent()
    await expect(backend.append(deadline, (stores) => void stores.auditLog.append(event))).rejects.toMatchObject({
      fault: 'unavailable',
    })
    // Reads continue, and a call with a longer deadline succeeds.
    expect(await backend.reads.clients.find(context(), clientId('admin'))).not.toBeNull()
    const patient = inTransaction(backend, (stores) => stores.clients.insert(aClient('patient'), change))
    setTimeout(lock, 300)
    expect(await patient).toBe(true)
    expect(await backend.reads.clients.find(context(), clientId('late'))).toBeNull()
    expect(await backend.reads.auditLog.find(context(), event.eventId)).toBeNull()
    await backend.close()
    await migrations.close()
  })
})

/** Takes the write lock on a separate connection; returns the release. */
function lockFile(file: string): () => void {
  const database = new Sqlite(file)
  database.exec('begin immediate')
  return () => {
    database.exec('rollback')
    database.close()
  }
}
