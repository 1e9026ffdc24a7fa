import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenUse } from '../../src/gen/qscope/v1/token_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { type Tokens, tokensOf } from '../setup/grants.ts'
import { scaled } from '../setup/scale.ts'
import { gatherCrowd, outcomeOf } from './crowd.ts'
import { givenGrants, type Registered } from './given.ts'

const { exchangeAuthorizationCode, listTokens, refreshToken } = TokenService.method
const { redeemDeviceCode } = DeviceService.method
const { updateClient } = ClientService.method
const { deactivateUser, reactivateUser } = UserService.method

const CALLERS = 64
const STEPS = scaled(20, 2)
const TIMEOUT_MS = 30_000 + STEPS * 15_000
const USERS = 8

interface Caps {
  readonly refresh: number
  readonly perUser: number
  readonly access: number
}

onEveryBackend('FIFO limits', (server, database) => {
  const given = givenGrants(server)
  const crowd = gatherCrowd(server)

  const capped = ({ refresh, perUser, access }: Caps) =>
    given.client({
      maxActiveRefreshTokens: refresh,
      maxActiveRefreshTokensPerUser: perUser,
      maxActiveAccessTokens: access,
    })

  /** The active rows of a client, counted in one statement and so in one snapshot. */
  async function count({ clientId }: Registered): Promise<Caps> {
    const now = server.clock.now()
    const active = (table: string, spent: string) => `
      from ${table} t
      join oauth_grants g on g.grant_id = t.grant_id
      join oauth_clients c on c.client_id = g.client_id
      join oauth_users u on u.user_id = g.user_id
      where t.client_id = '${clientId}' and t.${spent} is null and t.expires_at > ${now}
        and g.revoked_at is null and g.expires_at > ${now}
        and c.token_generation = g.client_generation
        and u.active = 1 and u.deleted_at is null and u.token_generation = g.user_generation`
    const refresh = active('oauth_refresh_tokens', 'consumed_at')
    const access = active('oauth_access_tokens', 'revoked_at')
    const [row] = await database.query(`
      select
        (select count(*) ${refresh}) as refresh_tokens,
        (select max(n) from (select count(*) as n ${refresh} group by t.user_id) as users) as per_user,
        (select max(n) from (select count(*) as n ${access} group by t.grant_id) as families) as access_tokens`)
    return {
      refresh: Number(row?.['refresh_tokens'] ?? 0),
      perUser: Number(row?.['per_user'] ?? 0),
      access: Number(row?.['access_tokens'] ?? 0),
    }
  }

  function expectWithin(counted: Caps, caps: Caps): void {
    expect(counted.refresh).toBeLessThanOrEqual(caps.refresh)
    expect(counted.perUser).toBeLessThanOrEqual(caps.perUser)
    expect(counted.access).toBeLessThanOrEqual(caps.access)
  }

  const activeOf = (owner: Registered, families: readonly Tokens[]) =>
    server.introspectAll(
      owner.client,
      families.map(({ refreshToken }) => refreshToken),
    )

  describe('under load', () => {
    it.each([
      { refresh: 10, perUser: 2, access: 2 },
      { refresh: 1, perUser: 1, access: 1 },
      { refresh: 40, perUser: 3, access: 1 },
    ])('are never exceeded by 64 callers: %o', { timeout: TIMEOUT_MS }, async (caps) => {
      const owner = await capped(caps)
      const users = Array.from({ length: USERS }, () => server.unique('user-'))
      let working = true
      let samples = 0
      const sampling = (async () => {
        for (; working; samples += 1) {
          expectWithin(await count(owner), caps)
          // Counting on SQLite blocks this process, so the callers need time in between.
          await sleep(2)
        }
      })()
      sampling.catch(() => undefined)

      /** A login by code or device, then refreshes until the family is evicted or abandoned. */
      async function session(index: number, step: number): Promise<void> {
        const user = users[(index + step) % USERS] ?? ''
        const byDevice = (index + step) % 5 === 0
        const { token } = byDevice
          ? await crowd.call(redeemDeviceCode, {
              client: owner.client,
              deviceCode: await given.approvedDevice(owner, user),
            })
          : await crowd.call(exchangeAuthorizationCode, await given.code(owner, user))
        expectWithin(await count(owner), caps)
        let tokens = tokensOf(token)
        for (let more = 0; more < 3; more += 1) {
          const request = { client: owner.client, refreshToken: tokens.refreshToken }
          const { answer, refused } = await outcomeOf(crowd.call(refreshToken, request))
          if (refused !== null) {
            expect(refused.reason).toBe('OAUTH_INVALID_GRANT')
            return
          }
          tokens = tokensOf(answer.token)
          expectWithin(await count(owner), caps)
        }
      }

      const callers = Array.from({ length: CALLERS }, async (_, index) => {
        for (let step = 0; step < STEPS; step += 1) await session(index, step)
      })
      try {
        await Promise.all(callers)
      } finally {
        working = false
      }
      await sampling
      expect(samples).toBeGreaterThan(0)
      // Many more tokens were issued than allowed, so the limits are actually reached.
      const left = await count(owner)
      expect(left.refresh).toBe(Math.min(caps.refresh, USERS * caps.perUser))
      const { tokens } = await server.call(
        listTokens,
        { clientId: owner.clientId, activeOnly: true, pageSize: 1_000 },
        given.bearer(),
      )
      expect(tokens.filter(({ tokenUse }) => tokenUse === TokenUse.REFRESH).length).toBe(left.refresh)
      const evictions = await server.auditEvents({ clientId: owner.clientId, eventTypes: ['tokens.revoked'] })
      const granted = await server.auditEvents({ clientId: owner.clientId, eventTypes: ['token.issued'] })
      expect(evictions.length).toBe(granted.length - left.refresh)
      // No issue evicts the tokens that it returns.
      const issuedBy = new Map(granted.map(({ grantId, rayId }) => [grantId, rayId]))
      expect(evictions.filter(({ grantId, rayId }) => issuedBy.get(grantId) === rayId)).toEqual([])
      expect(new Set(evictions.map(({ grantId }) => grantId)).size).toBe(evictions.length)
    })
  })

  describe('per client', () => {
    it('evict the oldest refresh token with its family', async () => {
      const owner = await given.client({ maxActiveRefreshTokens: 3 })
      const families: Tokens[] = []
      for (let i = 0; i < 5; i += 1) families.push(await given.family(owner))
      expect(await activeOf(owner, families)).toEqual([false, false, true, true, true])
      const access = families.map((family) => family.accessToken)
      expect(await server.introspectAll(owner.client, access)).toEqual([false, false, true, true, true])
      const [oldest] = families
      const refused = await refusalOf(
        server.call(refreshToken, { client: owner.client, refreshToken: oldest?.refreshToken ?? '' }),
      )
      expect(refused.reason).toBe('OAUTH_INVALID_GRANT')
    })

    it('order families by their refresh token’s age: a used one stays', async () => {
      const owner = await given.client({ maxActiveRefreshTokens: 2 })
      const used = await given.family(owner)
      const idle = await given.family(owner)
      const successor = await given.refresh(owner, used)
      const third = await given.family(owner)
      expect(await activeOf(owner, [used, idle, successor, third])).toEqual([false, false, true, true])
    })

    it('do not count expired tokens', async () => {
      const owner = await given.client({ maxActiveRefreshTokens: 2, refreshTokenTtl: { seconds: 60n } })
      const first = await given.family(owner)
      server.clock.advance(50_000)
      const second = await given.family(owner)
      server.clock.advance(11_000)
      const third = await given.family(owner)
      expect(await activeOf(owner, [first, second, third])).toEqual([false, true, true])
      const events = await server.auditEvents({ clientId: owner.clientId, eventTypes: ['tokens.revoked'] })
      expect(events).toEqual([])
    })

    it('apply a lowered limit at the next issue', async () => {
      const owner = await given.client({ maxActiveRefreshTokens: 5 })
      const families: Tokens[] = []
      for (let i = 0; i < 5; i += 1) families.push(await given.family(owner))
      const update = {
        client: { clientId: owner.clientId, config: { maxActiveRefreshTokens: 2 } },
        updateMask: { paths: ['config.max_active_refresh_tokens'] },
      }
      await server.call(updateClient, update, given.bearer())
      expect((await count(owner)).refresh).toBe(5)
      families.push(await given.family(owner))
      expect(await activeOf(owner, families)).toEqual([false, false, false, false, true, true])
    })

    it('count the tokens of users who may be reactivated', async () => {
      const owner = await given.client({ maxActiveRefreshTokens: 2 })
      const externalId = server.unique('user-')
      const suspended = [await given.family(owner, externalId), await given.family(owner, externalId)]
      const { user } = await server.call(
        UserService.method.getUser,
        { id: { case: 'externalId', value: externalId } },
        given.bearer(),
      )
      const userId = user?.userId ?? ''
      await server.call(deactivateUser, { userId }, given.bearer())
      const others = [await given.family(owner), await given.family(owner)]
      await server.call(reactivateUser, { userId }, given.bearer())
      expect((await count(owner)).refresh).toBeLessThanOrEqual(2)
      expect(await activeOf(owner, [...suspended, ...others])).toEqual([false, false, true, true])
    })

    it('do not affect other clients', async () => {
      const other = await given.client()
      const externalId = server.unique('user-')
      const kept = await given.family(other, externalId)
      const owner = await given.client({ maxActiveRefreshTokens: 1, maxActiveRefreshTokensPerUser: 1 })
      for (let i = 0; i < 3; i += 1) await given.family(owner, externalId)
      expect(await activeOf(other, [kept])).toEqual([true])
    })
  })

  describe('per client and user', () => {
    it('evict the user’s own oldest token, not another user’s', async () => {
      const owner = await given.client({ maxActiveRefreshTokensPerUser: 2 })
      const [one, two] = [server.unique('user-'), server.unique('user-')]
      const ofOne = [await given.family(owner, one), await given.family(owner, one)]
      const ofTwo = [await given.family(owner, two)]
      ofOne.push(await given.family(owner, one))
      expect(await activeOf(owner, [...ofOne, ...ofTwo])).toEqual([false, true, true, true])
    })

    it('are applied before the client’s: one eviction satisfies both', async () => {
      const owner = await given.client({ maxActiveRefreshTokens: 3, maxActiveRefreshTokensPerUser: 2 })
      const [one, two] = [server.unique('user-'), server.unique('user-')]
      const oldest = await given.family(owner, two)
      const ofOne = [await given.family(owner, one), await given.family(owner, one), await given.family(owner, one)]
      expect(await activeOf(owner, [oldest, ...ofOne])).toEqual([true, false, true, true])
    })
  })

  describe('per refresh token and its successors', () => {
    it('evict the oldest access token, and keep the family', async () => {
      const owner = await given.client({ maxActiveAccessTokens: 2 })
      const first = await given.family(owner)
      const second = await given.refresh(owner, first)
      const third = await given.refresh(owner, second)
      const access = [first, second, third].map((tokens) => tokens.accessToken)
      expect(await server.introspectAll(owner.client, access)).toEqual([false, true, true])
      expect(await activeOf(owner, [third])).toEqual([true])
      const events = await server.auditEvents({ clientId: owner.clientId, eventTypes: ['token.revoked'] })
      expect(events.map(({ tokenId }) => tokenId)).toEqual([first.tokenId])
    })

    it('do not count tokens exchanged by others, nor other families', async () => {
      const owner = await given.client({ maxActiveAccessTokens: 1 })
      const service = await given.client({ maxActiveAccessTokens: 1 })
      const family = await given.family(owner)
      const other = await given.family(owner)
      for (let i = 0; i < 3; i += 1) {
        await server.call(TokenService.method.exchangeToken, {
          client: service.client,
          subjectToken: family.accessToken,
          subjectTokenType: 'urn:ietf:params:oauth:token-type:access_token',
        })
      }
      expect(await server.introspectAll(owner.client, [family.accessToken, other.accessToken])).toEqual([true, true])
    })
  })
})
