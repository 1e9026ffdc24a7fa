import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openBackend } from '../../src/stores/open.ts'
import { run, temporaryDirectory } from '../e2e/process.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { createSharedDatabase } from '../setup/least-privilege.ts'
import { mariaDbBinaries, startMariaDb } from '../setup/mariadb.ts'
import { runSql } from '../setup/run-sql.ts'
import type { DatabaseServer } from '../setup/server-process.ts'
import { anEvent, context, options } from './given.ts'
import { onSchema } from './on-schema.ts'

const CHANGE = "update oauth_audit_log set actor = 'nobody'"

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(`the audit log on ${kind.name}`, () => {
    test('is append-only by triggers, or by grants if requested, and the choice is recorded', async () => {
      const database = await kind.create()
      onTestFinished(() => database.drop())
      await onSchema(database, async (migrations) => {
        await migrations.up({ audit: 'grants' })
        expect(await migrations.status()).toMatchObject({ auditProtection: 'grants', problem: null })
      })
      await writeEvent(database)
      await database.query(CHANGE)

      await onSchema(database, async (migrations) => {
        await migrations.up()
        expect((await migrations.status()).auditProtection).toBe('grants')
        await migrations.up({ audit: 'triggers' })
        expect((await migrations.status()).auditProtection).toBe('triggers')
        await expect(database.query(CHANGE)).rejects.toThrow('append-only')
        await expect(database.query('delete from oauth_audit_log')).rejects.toThrow('append-only')
        await migrations.up({ audit: 'grants' })
        expect((await migrations.status()).auditProtection).toBe('triggers')
        await expect(database.query(CHANGE)).rejects.toThrow('append-only')
      })
      await writeEvent(database)
    })

    test('without protection prevents servers from serving', async () => {
      const database = await kind.create()
      onTestFinished(() => database.drop())
      await onSchema(database, (migrations) => migrations.up())
      await database.query('update qscope_schema set audit_protection = null')
      const backend = await openBackend(database.url, options)
      onTestFinished(() => backend.close())
      expect(await backend.check()).toMatchObject({ serving: false, problem: expect.stringContaining('migrate up') })
      await onSchema(database, (migrations) => migrations.up())
      expect(await backend.check()).toEqual({ serving: true })
    })
  })
}

describe.skipIf(mariaDbBinaries() === null)('a MariaDB with a binary log, and an owner without SUPER', () => {
  let server: DatabaseServer | null = null
  beforeAll(async () => {
    server = await startMariaDb(['--log-bin=binlog', '--log-bin-trust-function-creators=0'])
  })
  afterAll(() => server?.stop())

  test('refuses triggers: one line reports it, and --audit=grants continues without them', async () => {
    const shared = await createSharedDatabase(server?.url ?? '')
    const directory = await temporaryDirectory()
    const environment = { QSCOPE_DATABASE_URL: shared.ownerUrl, QSCOPE_KEYRING_FILE: `${directory}/keyring.json` }
    const migrate = (...args: string[]) => run(directory, ['migrate', ...args], environment)
    const status = async () => JSON.parse((await migrate('status', '--json')).stdout)
    const triggers = () => runSql(shared.ownerUrl, 'show triggers')

    const refused = await migrate('up')
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/^qscope: the database refuses the triggers .*SUPER.*--audit=grants.*\n$/)
    expect(await status()).toMatchObject({ pending: [], auditProtection: null, fits: false })
    expect(await migrate('up')).toEqual(refused)

    const granted = await migrate('up', '--audit=grants')
    expect(granted).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('no UPDATE, DELETE') })
    expect(await status()).toMatchObject({ auditProtection: 'grants', fits: true })
    expect((await migrate('up')).code).toBe(0)
    expect(await triggers()).toEqual([])
    await shared.grantServer()
    const backend = await openBackend(shared.serverUrl, options)
    expect(await backend.check()).toEqual({ serving: true })
    await backend.append(context(), (stores) => void stores.auditLog.append(anEvent()))
    await backend.close()
    await expect(runSql(shared.serverUrl, CHANGE)).rejects.toThrow('denied')

    await runSql(shared.adminUrl, 'set global log_bin_trust_function_creators = 1')
    expect((await migrate('up', '--audit=triggers')).code).toBe(0)
    expect(await status()).toMatchObject({ auditProtection: 'triggers', fits: true })
    expect(await triggers()).toHaveLength(2)
    await expect(runSql(shared.ownerUrl, CHANGE)).rejects.toThrow('append-only')
    await shared.drop()
  }, 300_000)
})

async function writeEvent(database: FreshDatabase): Promise<void> {
  const backend = await openBackend(database.url, options)
  await backend.append(context(), (stores) => void stores.auditLog.append(anEvent()))
  await backend.close()
}
