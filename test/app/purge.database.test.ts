import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Purge, type PurgeOptions } from '../../src/app/jobs/purge.ts'
import { epochMs } from '../../src/domain/ids.ts'
import { AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { anotherInstance } from '../setup/another-instance.ts'
import { inSeconds, jwksOf, signed, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { calmest } from '../setup/calmest.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import { startServer } from '../setup/server.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NOTHING = {
  access_tokens: 0,
  grants: 0,
  device_authorizations: 0,
  assertion_ids: 0,
  revocations: 0,
  scope_usage: 0,
}

onEveryBackend('the purge', (server, database) => {
  const grants = grantsOn(server)

  beforeEach(async () => {
    // The clock was put forward: the admin's token has ended, and so has what other tests left behind.
    server.admin.token = (await grants.mint(server.admin)).accessToken
    await server.app.purge.round()
  })

  const count = async (table: string, where = 'true') => {
    const [row] = await database.query(`select count(*) as n from ${table} where ${where}`)
    return Number(row?.['n'])
  }
  const logged = (message: string) => server.lines.filter(({ msg }) => msg === message).length
  const anotherPurge = (options: Partial<PurgeOptions> = {}) => {
    const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() }
    const { maintenance } = server.app.backend
    const clock = { isRight: () => true }
    const all = { maintenance, clock, log, now: server.clock.now, intervalMs: 10, retentionMs: HOUR, ...options }
    return { purge: new Purge(all), log }
  }
  const mintMany = async (many: number) => {
    const { client } = await server.registerClient({ scopes: ['a'] })
    const requests = Array.from({ length: 100 }, () => ({ scopes: ['a'] }))
    for (let minted = 0; minted < many; minted += 100) {
      await server.call(TokenService.method.batchMintTokens, { client, requests })
    }
  }

  test('deletes what ended longer ago than the retention, and keeps the rest', async () => {
    const short = await grants.webClient({ grantTypes: [GrantType.AUTHORIZATION_CODE] })
    const long = await grants.webClient()
    const device = await grants.deviceClient()
    await grants.signIn(short)
    const kept = await grants.signIn(long)
    const started = await grants.startDevice(device)
    server.clock.advance(HOUR)
    expect((await server.app.purge.round())?.deleted).toEqual(NOTHING)
    const refused = await refusalOf(grants.redeemDevice(device, started))
    expect(refused.reason).toBe('OAUTH_DEVICE_EXPIRED_TOKEN')

    server.clock.advance(HOUR + 30 * MINUTE)
    const young = await grants.mint(server.admin)
    server.admin.token = young.accessToken
    const round = await server.app.purge.round()
    expect(round).toMatchObject({ complete: true, deleted: { device_authorizations: 1 } })
    for (const table of ['oauth_grants', 'oauth_access_tokens']) {
      expect(await count(table, `client_id = '${short.clientId}'`)).toBe(0)
    }
    expect(await count('oauth_device_codes', `client_id = '${device.clientId}'`)).toBe(0)
    expect(await count('oauth_access_tokens', `client_id = '${long.clientId}'`)).toBe(0)
    expect(await grants.isActive(young.accessToken)).toBe(true)
    expect((await grants.refresh(long, kept.refreshToken)).accessToken).toMatch(/^qat_/)
  })

  test('keeps codes and spent refresh tokens while their grant has a live token, so that reuse is detected', async () => {
    const client = await grants.webClient()
    const first = await grants.signIn(client)
    const second = await grants.refresh(client, first.refreshToken)
    const third = await grants.refresh(client, second.refreshToken)
    const grant = `client_id = '${client.clientId}'`
    server.clock.advance(20 * DAY)
    await server.app.purge.round()
    expect(await count('oauth_refresh_tokens', grant)).toBe(3)

    expect((await refusalOf(grants.refresh(client, first.refreshToken))).reason).toBe('OAUTH_INVALID_GRANT')
    expect((await refusalOf(grants.refresh(client, third.refreshToken))).reason).toBe('OAUTH_INVALID_GRANT')
    server.clock.advance(11 * DAY)
    await server.app.purge.round()
    expect(await count('oauth_refresh_tokens', grant)).toBe(0)
    expect(await count('oauth_grants', grant)).toBe(0)
  })

  describe('of used assertions', () => {
    // By the clock of other instances: the server's own is far ahead here.
    const single = (jti: string, endsInMs: number) => ({
      madeBy: { kind: 'client' as const, name: 'purged' },
      jti,
      expiresAt: epochMs(Date.now() + endsInMs),
    })

    test('never lets an assertion be used again while it deletes their ids', async () => {
      const { jtiReplayGuard } = server.app.services
      const right = () => ({ now: epochMs(Date.now()) })
      const uses = Array.from({ length: 1_200 }, (_, n) => single(randomUUID(), 30_000 + n))
      const first = await Promise.all(uses.map((use) => jtiReplayGuard.consume(right(), use)))
      expect(new Set(first)).toEqual(new Set(['first']))

      server.clock.advance(3 * HOUR)
      let isPurging = true
      const round = server.app.purge.round().finally(() => {
        isPurging = false
      })
      const answers: string[] = []
      do answers.push(...(await Promise.all(uses.map((use) => jtiReplayGuard.consume(right(), use)))))
      while (isPurging)
      answers.push(...(await Promise.all(uses.map((use) => jtiReplayGuard.consume(right(), use)))))
      expect((await round)?.deleted.assertion_ids).toBe(uses.length)
      expect(new Set(answers)).toEqual(new Set(['used']))
      expect(await jtiReplayGuard.wasUsed(right(), single('unknown', 20_000))).toBe(true)
      expect(await jtiReplayGuard.consume(right(), single('unknown', 40_000))).toBe('first')
    })

    test.each([
      ['by an instance whose clock is right', 0, 'server'],
      ['by an instance whose clock is behind', 3 * HOUR, 'server'],
      ['after the clock was set back', 0, 'other'],
    ] as const)('never lets one be used again %s', async (_case, behindMs, purging) => {
      const pair = signingPair('ES256')
      const { clientId } = await server.registerClient({
        authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
        jwks: jwksOf(pair),
      })
      const { other } = await anotherInstance(server, database)
      other.clock.advance(-behindMs)
      const assertionFor = (seconds: number) =>
        signed(pair, {
          iss: clientId,
          sub: clientId,
          aud: server.issuer,
          jti: randomUUID(),
          exp: inSeconds(seconds) - behindMs / 1_000,
        })
      const introspect = (value: string) =>
        other.call(TokenService.method.introspectToken, {
          client: { clientId, method: { case: 'clientAssertion', value } },
          token: 'unknown',
        })
      await database.query('delete from oauth_assertion_ids')
      const used = await assertionFor(60)
      expect((await introspect(used)).active).toBe(false)
      const { app, clock } = purging === 'server' ? server : other
      clock.advance(3 * HOUR)
      expect((await app.purge.round())?.deleted.assertion_ids).toBe(1)
      clock.advance(-3 * HOUR)
      expect((await refusalOf(introspect(used))).reason).toBe('OAUTH_INVALID_CLIENT')
      expect((await introspect(await assertionFor(120))).active).toBe(false)
    })
  })

  test('never touches the audit log', async () => {
    await grants.signIn(await grants.webClient())
    const before = await count('oauth_audit_log')
    server.clock.advance(400 * DAY)
    expect((await server.app.purge.round())?.deleted.grants).toBeGreaterThan(0)
    expect(await count('oauth_audit_log')).toBe(before)
  })

  test('is done by one process at a time, and the next one does not wait for the lease to expire', async () => {
    await mintMany(1_200)
    server.clock.advance(3 * HOUR)
    const other = await startServer(database.url, server.keyring, server.first)
    try {
      other.clock.advance(server.clock.now() - Date.now())
      const rounds = await Promise.all([server.app.purge.round(), other.app.purge.round()])
      expect(rounds.filter((round) => round === null)).toHaveLength(1)
      expect(rounds.find((round) => round !== null)?.deleted.access_tokens).toBeGreaterThanOrEqual(1_200)
      expect(await other.app.purge.round()).toMatchObject({ deleted: NOTHING, complete: true })
    } finally {
      await other.stop()
    }
  })

  test('is taken over from a process that died', async () => {
    const now = server.clock.now()
    const { maintenance } = server.app.backend
    expect(await maintenance.acquireLease('purge', 'the dead', now, epochMs(now + 90_000))).toBe(true)
    expect(await server.app.purge.round()).toBeNull()
    server.clock.advance(90_000)
    expect(await server.app.purge.round()).not.toBeNull()
  })

  test('does not block the server', async () => {
    const client = await grants.serviceClient()
    const longest = await calmest(1_000, async () => {
      await mintMany(5_000)
      server.clock.advance(3 * HOUR)
      let purging = true
      const round = server.app.purge.round().finally(() => {
        purging = false
      })
      const took: number[] = []
      const callAllTheTime = async () => {
        while (purging) {
          const begun = performance.now()
          await grants.mint(client)
          took.push(performance.now() - begun)
        }
      }
      await Promise.all(Array.from({ length: 8 }, callAllTheTime))
      expect((await round)?.deleted.access_tokens).toBeGreaterThanOrEqual(5_000)
      expect(took.length).toBeGreaterThan(8)
      return Math.max(...took)
    })
    expect(longest).toBeLessThan(1_000)
  })

  test('reports what it did and what is left, in the log only if it deleted something', async () => {
    await mintMany(200)
    server.clock.advance(HOUR + 90 * MINUTE)
    const { purge, log } = anotherPurge()
    const cutShort = await purge.round(0)
    expect(cutShort).toMatchObject({ complete: false, deleted: NOTHING })
    expect(purge.metrics()).toMatchObject({ rounds: 1, failures: 0, deleted: NOTHING, lookedAt: expect.any(Number) })
    const { count: waiting, oldestAgeMs } = purge.metrics().backlog.access_tokens
    expect(waiting).toBeGreaterThanOrEqual(200)
    expect(oldestAgeMs).toBeGreaterThanOrEqual(30 * MINUTE)
    expect(log.info).not.toHaveBeenCalled()

    await purge.round()
    expect(purge.metrics()).toMatchObject({
      rounds: 2,
      deleted: { access_tokens: waiting },
      backlog: { access_tokens: { count: 0, oldestAgeMs: null } },
    })
    expect(log.info).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ deleted: { ...NOTHING, access_tokens: waiting }, complete: true }),
      'purged',
    )
  })

  test('stops between two batches without waiting', async () => {
    await mintMany(1_200)
    server.clock.advance(3 * HOUR)
    const { purge } = anotherPurge()
    const running = purge.round()
    purge.stop()
    expect(await running).toMatchObject({ complete: false })
    // And the lease is free.
    expect(await server.app.purge.round()).toMatchObject({ complete: true })
  })

  describe('in the background', () => {
    test('repeats until it is stopped', async () => {
      const { purge } = anotherPurge()
      purge.start()
      await expect.poll(() => purge.metrics().rounds).toBeGreaterThan(2)
      purge.stop()
      await expect.poll(() => server.app.purge.round()).not.toBeNull()
      const { rounds } = purge.metrics()
      await new Promise((later) => setTimeout(later, 100))
      expect(purge.metrics().rounds).toBe(rounds)
    })

    test('survives database errors: logs them once, retries, and logs the recovery', async () => {
      const { purge, log } = anotherPurge()
      await database.query('alter table oauth_device_codes rename to elsewhere')
      try {
        purge.start()
        await expect.poll(() => purge.metrics().failures).toBeGreaterThan(2)
      } finally {
        // On SQLite another writer may be in the way.
        await vi.waitFor(() => database.query('alter table elsewhere rename to oauth_device_codes'), {
          timeout: 60_000,
        })
      }
      await expect.poll(() => purge.metrics().rounds).toBeGreaterThan(0)
      purge.stop()
      expect(log.warn).toHaveBeenCalledTimes(1)
      expect(log.info.mock.calls.filter(([, message]) => message === 'expired rows can be purged again')).toHaveLength(
        1,
      )
    })

    test('erases answers kept for lost refresh responses within a minute, even if it is off', async () => {
      const client = await grants.webClient()
      await grants.refresh(client, (await grants.signIn(client)).refreshToken)
      const kept = () => count('oauth_refresh_tokens', `client_id = '${client.clientId}' and replay_answer is not null`)
      expect(await kept()).toBe(1)
      server.clock.advance(9_000)
      await server.app.purge.sweep()
      expect(await kept()).toBe(1)

      server.clock.advance(1_500)
      const { purge } = anotherPurge({ intervalMs: null })
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      purge.start()
      vi.advanceTimersByTime(40_000)
      vi.useRealTimers()
      await expect.poll(() => purge.metrics()).toMatchObject({ rounds: 0, erasedReplays: 1 })
      purge.stop()
      expect(await kept()).toBe(0)
    })
  })

  test('logs one line for a round that deleted something, and none for others', async () => {
    const before = logged('purged')
    await server.app.purge.round()
    expect(logged('purged')).toBe(before)
  })
})
