import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { AccessToken } from '../../src/domain/access-token.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { openBackend } from '../../src/stores/open.ts'
import { Refused } from '../setup/client.ts'
import { type FreshDatabase, mysqlDatabasesOn } from '../setup/fresh-database.ts'
import { tokensOf } from '../setup/grants.ts'
import {
  type GroupReplication,
  groupReplicationIsInstalled,
  startGroupReplication,
} from '../setup/group-replication.ts'
import { runSql } from '../setup/run-sql.ts'
import { scaled } from '../setup/scale.ts'
import type { TestServer } from '../setup/server.ts'
import {
  aClient,
  aToken,
  change,
  context,
  inTransaction,
  mint,
  openMigrated,
  options,
  register,
} from '../stores/given.ts'
import { expectSameRows, memberOf, primaryAmong, urlThrough } from './group-members.ts'
import { startMixedLoad } from './mixed-load.ts'
import { startWatchedServer } from './watched-server.ts'
import { expectKept, expectOnlyRetryable, expectSound, told } from './what-holds.ts'

const DATABASES_PAGE = readFileSync(resolve(import.meta.dirname, '..', '..', 'docs', 'databases.md'), 'utf8')
/** Seconds of load before, between and after the events. */
const SECONDS = scaled(20, 2)
const KILLS = scaled(2, 1)
/** The default in a full run; with 0 the group continues 15 s earlier. */
const EXPEL_AFTER_SECONDS = 5 * scaled(1, 0)
/** The pause of clients while a member catches up, which must apply faster than the others write. */
const EASED_REST_MS = 250
/** The highest share of calls whose retries are used up. */
const MOST_REFUSED = 0.01
const CHAINS = 4

describe.skipIf(!groupReplicationIsInstalled)('a group of MySQL servers with one primary', () => {
  let group: GroupReplication
  beforeAll(async () => {
    group = await startGroupReplication({ multiPrimary: false, expelAfterSeconds: EXPEL_AFTER_SECONDS })
  })
  afterAll(() => group?.stop())
  const newDatabase = () => mysqlDatabasesOn(memberOf(group.members, 0).url).create()

  it('is used without the privilege to read its members, and the doctor names the missing grant', async () => {
    const database = await newDatabase()
    const straight = await openMigrated(database)
    await register(straight, aClient('someone'))
    await straight.close()
    const name = new URL(database.url).pathname.slice(1)
    await database.query("create user 'app'@'%' identified by 'app'")
    await database.query(`grant all on ${name}.* to 'app'@'%'`)
    const url = Object.assign(new URL(database.url), { username: 'app', password: 'app' }).href
    const backend = await openBackend(url, options)
    onTestFinished(() => backend.close())
    expect(await backend.check()).toEqual({ serving: true })
    await mint(backend, aToken('someone'))
    const findings = async () => new Map((await backend.diagnostics()).map((one) => [one.name, one]))
    const grant = /grant select on performance_schema\.replication_group_members to [^;]+/
    const [statement = ''] = grant.exec((await findings()).get('group members')?.warning ?? '') ?? []
    // databases.md has the same statement for the user of the server.
    expect(DATABASES_PAGE).toContain(statement.replace("'app'", "'qscope_server'"))
    await database.query(statement)
    const found = await findings()
    expect(found.get('group members')).toMatchObject({ value: expect.stringMatching(/(ONLINE.*){3}/), warning: null })
    expect(found.get('group member')).toMatchObject({ value: 'ONLINE, primary', warning: null })
    expect(found.get('group_replication_consistency')?.value).toBe('BEFORE')
    expect(found.get('group_replication_exit_state_action')).toMatchObject({ warning: null })
    const majority = 'group_replication_unreachable_majority_timeout'
    expect(found.get(majority)).toMatchObject({ value: expect.stringContaining('forever') })
    await runSql(memberOf(group.members, 0).url, `set global ${majority} = 30`)
    expect((await findings()).get(majority)).toMatchObject({ value: '30 s', warning: null })
  })

  it(`loses no answered write when its primary is killed under load (${KILLS} times)`, async () => {
    const { members } = group
    const database = await newDatabase()
    const all = [0, 1, 2]
    const one = await startWatchedServer(urlThrough(database.url, members, all))
    onTestFinished(() => one.stop())
    const two = await startWatchedServer(urlThrough(database.url, members, [1, 2, 0]), one.keyring, one.first)
    onTestFinished(() => two.stop())
    const load = await startMixedLoad([one, two])
    onTestFinished(async () => void (await load.stop()))
    await sleep(SECONDS * 1_000)
    const outages: number[] = []
    for (let kill = 0; kill < KILLS; kill += 1) {
      const victim = await primaryAmong(members, all)
      await memberOf(members, victim).kill()
      const killed = Date.now()
      await primaryAmong(
        members,
        all.filter((n) => n !== victim),
      )
      const before = load.answered()
      await vi.waitFor(() => expect(load.answered()).toBeGreaterThan(before), { timeout: 60_000, interval: 10 })
      outages.push(Date.now() - killed)
      await sleep(SECONDS * 1_000)
      load.rest(EASED_REST_MS)
      await memberOf(members, victim).start()
      load.rest(0)
    }
    const record = await load.stop()
    const primary = urlThrough(database.url, members, [await primaryAmong(members, all)])
    const there = await startWatchedServer(primary, one.keyring, one.first)
    onTestFinished(() => there.stop())
    await expectKept(there, load.client, record)
    await expectSameRows(primary, members)
    await expectSound((sql) => runSql(primary, sql))
    console.info(`group replication: calls were answered ${outages.join(' and ')} ms after a kill; ${told(record)}`)
    expectOnlyRetryable(record)
  }, 600_000)
})

describe.skipIf(!groupReplicationIsInstalled)('a group of MySQL servers that are all primaries', () => {
  let group: GroupReplication
  let database: FreshDatabase
  beforeAll(async () => {
    group = await startGroupReplication({ multiPrimary: true })
    database = await mysqlDatabasesOn(memberOf(group.members, 0).url).create()
  })
  afterAll(() => group?.stop())
  const on = (n: number) => urlThrough(database.url, group.members, [n])

  it(`accepts reads and writes on all members, without stale reads (${SECONDS} s of load)`, async () => {
    const one = await startWatchedServer(on(0))
    onTestFinished(() => one.stop())
    const two = await startWatchedServer(on(1), one.keyring, one.first)
    onTestFinished(() => two.stop())
    const load = await startMixedLoad([one, two])
    onTestFinished(async () => void (await load.stop()))
    let reads = 0
    const stale: string[] = []
    const until = Date.now() + SECONDS * 1_000
    const readThere = async (server: TestServer, token: string, active: boolean, what: string) => {
      reads += 1
      const [seen] = await server.introspectAll(load.client, [token])
      if (seen !== active) stale.push(what)
    }
    /** Each answered write is visible at the other member in the next call. */
    const chain = async (writer: TestServer, reader: TestServer) => {
      while (Date.now() < until) {
        try {
          const { token } = await writer.call(TokenService.method.mintToken, { client: load.client })
          const { accessToken } = tokensOf(token)
          await readThere(reader, accessToken, true, 'a token that was minted')
          await writer.call(TokenService.method.revokeToken, { client: load.client, token: accessToken })
          await readThere(reader, accessToken, false, 'a token that was revoked')
        } catch (error) {
          // The load checks refusals.
          if (!(error instanceof Refused)) throw error
        }
      }
    }
    await Promise.all(Array.from({ length: CHAINS }, (_, n) => (n % 2 === 0 ? chain(one, two) : chain(two, one))))
    const record = await load.stop()
    expect(stale).toEqual([])
    expect(reads).toBeGreaterThan(CHAINS)
    for (const server of [one, two]) await expectKept(server, load.client, record)
    await expectSameRows(database.url, group.members)
    await expectSound(database.query)
    console.info(`several primaries: ${reads} reads where it was not written, none stale; ${told(record)}`)
    expectOnlyRetryable(record)
    expect(record.refusals.length).toBeLessThanOrEqual(MOST_REFUSED * record.answers)
  }, 600_000)

  it('decides a race between two members once, and is not used without a majority', async () => {
    const { members } = group
    const one = await openMigrated(database)
    onTestFinished(() => one.close())
    await register(one, aClient('someone'))
    const two = await openBackend(on(1), options)
    onTestFinished(() => two.close())
    const findings = new Map((await two.diagnostics()).map(({ name, value }) => [name, value]))
    expect(findings.get('group mode')).toBe('several primaries')
    expect(findings.get('group_replication_consistency')).toBe('BEFORE')
    const revoke = (backend: Backend, token: AccessToken) =>
      inTransaction(backend, (stores) => stores.accessTokens.revoke(token, 'test', change))
    for (let n = 0; n < 40; n += 1) {
      const token = aToken('someone')
      await mint(one, token)
      // Exactly one of both wins.
      const ended = await Promise.all([revoke(one, token), revoke(two, token)])
      expect(ended.filter(Boolean)).toHaveLength(1)
      for (const backend of [one, two]) {
        const found = await backend.reads.accessTokens.findById(context(), token.tokenId)
        expect(found?.token.revokedAt).not.toBeNull()
      }
    }
    // A member that left the group, and was made writable.
    for (const sql of ['stop group_replication', 'set global super_read_only = 0', 'set global read_only = 0'])
      await runSql(memberOf(members, 2).url, sql)
    await expect(openBackend(on(2), options)).rejects.toThrow('is OFFLINE')
    // Reads of tables wait for missing members there; the check of the group has a short time limit.
    memberOf(members, 1).pause()
    onTestFinished(() => memberOf(members, 1).resume())
    const problem = expect.stringMatching(/has no majority/)
    await vi.waitFor(async () => expect(await one.check()).toMatchObject({ serving: false, problem }), {
      timeout: 30_000,
      interval: 200,
    })
  })
})
