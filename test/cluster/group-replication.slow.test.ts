import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { AccessToken } from '../../src/domain/access-token.ts'
import type { Backend } from '../../src/stores/contract/backend.ts'
import { openBackend } from '../../src/stores/open.ts'
import { type FreshDatabase, mysqlDatabasesOn } from '../setup/fresh-database.ts'
import {
  type GroupReplication,
  groupReplicationIsInstalled,
  startGroupReplication,
} from '../setup/group-replication.ts'
import { runSql } from '../setup/run-sql.ts'
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

/** As the server's health is looked at. */
const CHECK_INTERVAL_MS = 1_000
/** From when a member knows that the others are gone. */
const LEFT_WITHIN_MS = 2_000
const connections = { connectTimeoutMs: 1_000, statementTimeoutMs: 4_000, poolSize: 6 }

describe.skipIf(!groupReplicationIsInstalled)('a group of MySQL servers with one primary', () => {
  let group: GroupReplication
  let database: FreshDatabase
  const opened: Backend[] = []
  beforeAll(async () => {
    group = await startGroupReplication({ multiPrimary: false })
    database = await mysqlDatabasesOn(member(0).url).create()
    const straight = await openMigrated(database)
    await register(straight, aClient('someone'))
    await straight.close()
  })
  afterEach(async () => {
    for (const backend of opened.splice(0)) await backend.close()
  })
  afterAll(() => group?.stop())

  function member(n: number) {
    const found = group.members[n]
    if (found === undefined) throw new Error(`there is no member ${n}`)
    return found
  }

  async function openOn(...order: readonly number[]): Promise<Backend> {
    const url = new URL(database.url)
    const hosts = order.map((n) => new URL(member(n).url).host).join(',')
    const backend = await openBackend(database.url.replace(url.host, hosts), { ...options, connections })
    opened.push(backend)
    return backend
  }

  const isActive = async (backend: Backend, { tokenId }: AccessToken) =>
    (await backend.reads.accessTokens.findById(context(), tokenId))?.token.revokedAt === null

  /** The index of the member that the others and itself call primary. */
  async function primaryAmong(...candidates: readonly number[]): Promise<number> {
    return await vi.waitFor(
      async () => {
        for (const n of candidates) {
          const [row] = await runSql(
            member(n).url,
            `select count(*) as fit from performance_schema.replication_group_members
where member_id = @@server_uuid and member_role = 'PRIMARY' and member_state = 'ONLINE' and @@super_read_only = 0
and not exists (select 1 from performance_schema.replication_group_members where member_state = 'UNREACHABLE')`,
          )
          if (Number(row?.['fit']) === 1) return n
        }
        throw new Error('there is no primary')
      },
      { timeout: 60_000, interval: 200 },
    )
  }

  it('is used by one who may not look at it, and the doctor names the grant', async () => {
    const name = new URL(database.url).pathname.slice(1)
    await database.query("create user 'app'@'%' identified by 'app'")
    await database.query(`grant all on ${name}.* to 'app'@'%'`)
    const url = Object.assign(new URL(database.url), { username: 'app', password: 'app' }).href
    const backend = await openBackend(url, { ...options, connections })
    opened.push(backend)
    expect(await backend.check()).toEqual({ serving: true })
    await mint(backend, aToken('someone'))
    const told = async () => new Map((await backend.diagnostics()).map((one) => [one.name, one]))
    const grant = /grant select on performance_schema\.replication_group_members to [^;]+/
    const [statement = ''] = grant.exec((await told()).get('group members')?.warning ?? '') ?? []
    await database.query(statement)
    const found = await told()
    expect(found.get('group members')).toMatchObject({ value: expect.stringMatching(/(ONLINE.*){3}/), warning: null })
    expect(found.get('group member')).toMatchObject({ value: 'ONLINE, primary', warning: null })
    expect(found.get('group_replication_consistency')?.value).toBe('BEFORE_ON_PRIMARY_FAILOVER')
  })

  it('is not asked through a primary that lost the majority; what the majority revoked stays revoked', async () => {
    const backend = await openOn(0, 1, 2)
    const token = aToken('someone')
    await mint(backend, token)
    expect(await isActive(backend, token)).toBe(true)
    const stop = new AbortController()
    const checks = (async () => {
      while (!stop.signal.aborted) {
        await backend.check()
        await sleep(CHECK_INTERVAL_MS)
      }
    })()
    try {
      member(1).pause()
      member(2).pause()
      await vi.waitFor(
        async () => {
          const rows = await runSql(
            member(0).url,
            "select 1 from performance_schema.replication_group_members where member_state = 'UNREACHABLE'",
          )
          expect(rows).toHaveLength(2)
        },
        { timeout: 60_000, interval: 50 },
      )
      const lost = Date.now()
      let answered = lost
      for (const until = lost + 3 * LEFT_WITHIN_MS; Date.now() < until; await sleep(20)) {
        if (await isActive(backend, token).catch(() => false)) answered = Date.now()
      }
      console.info(`group replication: a read was answered up to ${answered - lost} ms after the majority was lost`)
      expect(answered - lost).toBeLessThan(LEFT_WITHIN_MS)
      expect(await backend.check()).toMatchObject({ serving: false })

      // The others go on without it.
      member(0).pause()
      member(1).resume()
      member(2).resume()
      const primary = await primaryAmong(1, 2)
      const majority = await openOn(primary)
      expect(await inTransaction(majority, (stores) => stores.accessTokens.revoke(token.tokenId, 'test', change))).toBe(
        true,
      )
      member(0).resume()
      for (const until = Date.now() + LEFT_WITHIN_MS; Date.now() < until; await sleep(20)) {
        expect(await isActive(backend, token).catch(() => false)).toBe(false)
      }
      await vi.waitFor(() => mint(backend, aToken('someone')), { timeout: 30_000, interval: 200 })
      expect(await isActive(backend, token)).toBe(false)
    } finally {
      for (const { resume } of group.members) resume()
      stop.abort()
      await checks
    }
  })

  it('has everything that was acknowledged when the primary is killed', async () => {
    for (const { start } of group.members) await start()
    const backend = await openOn(0, 1, 2)
    const victim = await primaryAmong(0, 1, 2)
    const acknowledged: AccessToken[] = []
    const mintFor = async (ms: number) => {
      for (const until = Date.now() + ms; Date.now() < until; ) {
        const token = aToken('someone')
        await mint(backend, token).then(
          () => acknowledged.push(token),
          () => sleep(50),
        )
      }
    }
    const minting = mintFor(4_000)
    await sleep(2_000)
    await member(victim).kill()
    await minting
    const before = acknowledged.length
    const next = await primaryAmong(...[0, 1, 2].filter((n) => n !== victim))
    await vi.waitFor(() => mint(backend, aToken('someone')), { timeout: 60_000, interval: 200 })
    await mintFor(1_000)
    expect(acknowledged.length).toBeGreaterThan(before)
    const there = await openOn(next)
    for (const token of acknowledged) expect(await isActive(there, token)).toBe(true)
  })
})

describe.skipIf(!groupReplicationIsInstalled)('a group of MySQL servers that are all primaries', () => {
  let group: GroupReplication
  beforeAll(async () => {
    group = await startGroupReplication({ multiPrimary: true })
  })
  afterAll(() => group?.stop())

  it('refuses on one what was revoked on another, tries again what conflicted, and is left without the majority', async () => {
    const [first, second, third] = group.members
    if (first === undefined || second === undefined || third === undefined) throw new Error('there are too few members')
    const database = await mysqlDatabasesOn(first.url).create()
    const one = await openMigrated(database)
    await register(one, aClient('someone'))
    const onHostOf = ({ url }: { readonly url: string }) =>
      database.url.replace(new URL(first.url).host, new URL(url).host)
    const two = await openBackend(onHostOf(second), options)
    try {
      const told = new Map((await two.diagnostics()).map(({ name, value }) => [name, value]))
      expect(told.get('group mode')).toBe('several primaries')
      expect(told.get('group_replication_consistency')).toBe('BEFORE')
      const revoke = (backend: Backend, { tokenId }: AccessToken) =>
        inTransaction(backend, (stores) => stores.accessTokens.revoke(tokenId, 'test', change))
      for (let n = 0; n < 40; n += 1) {
        const token = aToken('someone')
        await mint(one, token)
        // Of both, one is told that it was the one.
        const ended = await Promise.all([revoke(one, token), revoke(two, token)])
        expect(ended.filter(Boolean)).toHaveLength(1)
        for (const backend of [one, two]) {
          const found = await backend.reads.accessTokens.findById(context(), token.tokenId)
          expect(found?.token.revokedAt).not.toBeNull()
        }
      }
      // One that was taken out of the group, and made writable by somebody.
      for (const sql of ['stop group_replication', 'set global super_read_only = 0', 'set global read_only = 0'])
        await runSql(third.url, sql)
      await expect(openBackend(onHostOf(third), options)).rejects.toThrow('is OFFLINE')
      // Reads of tables wait there for members that are not there; the look at the group does not.
      second.pause()
      await vi.waitFor(
        async () =>
          expect(await one.check()).toMatchObject({ serving: false, problem: expect.stringContaining('no majority') }),
        { timeout: 30_000, interval: 200 },
      )
    } finally {
      second.resume()
      await two.close()
      await one.close()
    }
  })
})
