import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExplainedCall, explainableNames, explainSql } from '../../src/app/explain-sql/explain-sql.ts'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { dump } from '../setup/dump.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { quiet } from '../stores/given.ts'
import { fillTables, GROWING } from './filled-tables.ts'

const TIMEOUT = 120_000

/** What is looked through all the same, and why that may be. */
const ALLOWED: Readonly<Record<string, string>> = Object.freeze({
  'keyReferences oauth_client_secrets': 'once, when a process starts',
  'keyReferences oauth_audit_heads': 'once, when a process starts',
  'keyReferences oauth_device_codes': 'once, when a process starts',
  'exportAuditHead oauth_audit_heads': 'its answer is made of all of them',
  'verifyAuditLog oauth_audit_heads': 'it goes through all of them, a page at a time',
  'findAuditLogEnd oauth_audit_heads': 'once, when the first of a process watches, a page at a time',
  'listUsers oauth_users': 'a page in the order of the ids, where those that were deactivated are passed over',
})

/** Indexes, and a flow that has no other way than through a whole table without each of them. */
const NEEDED = [
  ['oauth_access_tokens', 'oauth_access_tokens_by_hash', 'introspectTokens'],
  ['oauth_access_tokens', 'oauth_access_tokens_by_expiry', 'purge'],
  ['oauth_authorization_codes', 'oauth_authorization_codes_by_hash', 'exchangeAuthorizationCode'],
  ['oauth_refresh_tokens', 'oauth_refresh_tokens_by_hash', 'refreshToken'],
  ['oauth_device_codes', 'oauth_device_codes_by_device_code', 'redeemDeviceCode'],
  ['oauth_audit_log', 'oauth_audit_log_by_ray', 'listAuditEvents'],
  ['oauth_users', 'oauth_users_by_external_id', 'registerUser'],
  ['oauth_revocations', 'oauth_revocations_by_forget_time', 'purge'],
] as const

function explain({ url }: FreshDatabase, isWanted: (name: string) => boolean): Promise<readonly ExplainedCall[]> {
  const config = parseConfig(readEnvironment({ QSCOPE_DATABASE_URL: url, QSCOPE_KEYRING_FILE: '/nowhere' }))
  return explainSql(config, quiet, isWanted)
}

function scansOf(calls: readonly ExplainedCall[]): readonly string[] {
  const all = calls.flatMap(({ name, statements }) =>
    statements.flatMap(({ scans }) =>
      scans.filter((table) => GROWING.includes(table)).map((table) => `${name} ${table}`),
    ),
  )
  return [...new Set(all)].filter((scan) => !(scan in ALLOWED)).toSorted()
}

/** The flows that there are, as they are defined. */
async function definedFlows(): Promise<readonly string[]> {
  const folder = resolve(import.meta.dirname, '../../src/flows')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const modules: readonly object[] = await Promise.all(files.map((file) => import(join(folder, file))))
  return modules
    .flatMap((module) => Object.values(module))
    .flatMap((value: unknown) =>
      typeof value === 'object' && value !== null && 'preconditions' in value && 'name' in value
        ? [String(value.name)]
        : [],
    )
}

describe('the flows that can be explained', () => {
  it('are all flows', async () => {
    const defined = await definedFlows()
    expect(defined.length).toBeGreaterThan(35)
    expect(explainableNames()).toEqual(expect.arrayContaining([...defined]))
  })
})

const [remote, others] = [true, false].map((isRemote) =>
  databaseKinds.filter(({ name }) => (name === 'libsql-remote') === isRemote),
)

/** libSQL on a server plans as in a file does. Its transactions must end sooner than the walk through all flows does. */
for (const kind of remote ?? []) {
  describe.skipIf(!kind.available)(`the statements of a flow on ${kind.name}`, { timeout: TIMEOUT }, () => {
    it('are recorded, and change nothing', async () => {
      const database = await kind.createMigrated()
      const before = await dump(database)
      const [call] = await explain(database, (name) => name === 'registerClient')
      expect(call?.statements.find(({ sql }) => sql.startsWith('select'))?.lines[0]).toMatch(/^SEARCH oauth_clients /)
      expect(await dump(database)).toBe(before)
      await database.drop()
    })
  })
}

for (const kind of others ?? []) {
  describe.skipIf(!kind.available)(`the statements of all flows on ${kind.name}`, { timeout: TIMEOUT }, () => {
    let database: FreshDatabase
    let calls: readonly ExplainedCall[]
    let before: string
    let after: string

    beforeAll(async () => {
      database = await kind.createMigrated()
      await fillTables(database)
      before = await dump(database)
      calls = await explain(database, () => true)
      after = await dump(database)
    }, TIMEOUT)
    afterAll(() => database?.drop())

    it('are all recorded, with a plan for each that reads', () => {
      expect(new Set(calls.map(({ name }) => name))).toEqual(new Set(explainableNames()))
      const reading = calls.flatMap(({ statements }) => statements).filter(({ sql }) => !/^insert/i.test(sql))
      expect(reading.length).toBeGreaterThan(150)
      expect(reading.filter(({ lines }) => lines.length === 0)).toEqual([])
    })

    it('scan no table that grows', () => {
      expect(scansOf(calls)).toEqual([])
    })

    it('change nothing', () => {
      expect(after === before).toBe(true)
    })

    it('show no value', () => {
      const text = calls.flatMap(({ statements }) => statements.flatMap(({ sql, lines }) => [sql, ...lines])).join('\n')
      expect(text).not.toMatch(/sample-|issuer\.example|[0-9a-f]{8}-[0-9a-f]{4}-7|[0-9a-f]{32}/)
    })

    it('are reported if they scan tables without an index', async () => {
      for (const [table, index] of NEEDED) {
        await database.query(kind.dialect === 'mysql' ? `drop index ${index} on ${table}` : `drop index ${index}`)
      }
      const lacking = new Set<string>(NEEDED.map(([_table, _index, flow]) => flow))
      const scans = scansOf(await explain(database, (name) => lacking.has(name)))
      expect(new Set(scans.map((scan) => scan.split(' ')[0]))).toEqual(lacking)
    })
  })
}
