import { expect, it } from 'vitest'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { tokensOf } from '../setup/grants.ts'
import { scaled } from '../setup/scale.ts'
import { answersOf, gatherCrowd, reasonsOf } from './crowd.ts'
import { eventsOf, givenGrants } from './given.ts'

const { exchangeAuthorizationCode, refreshToken } = TokenService.method
const { redeemDeviceCode } = DeviceService.method

const ROUNDS = scaled(100)
const CALLERS = 50
const TIMEOUT_MS = 10_000 + ROUNDS * 3_000

onEveryBackend('many redemptions at once', (server, database) => {
  const given = givenGrants(server)
  const crowd = gatherCrowd(server)
  const rowsOf = async (table: string, clientId: string) =>
    Number((await database.query(`select count(*) as n from ${table} where client_id = '${clientId}'`))[0]?.['n'])

  it('create one family from one code, which further uses revoke', { timeout: TIMEOUT_MS }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const owner = await given.client()
      const request = await given.code(owner)
      const outcomes = await crowd.rush(CALLERS, () => crowd.call(exchangeAuthorizationCode, request))

      const [first, ...more] = answersOf(outcomes)
      expect(more).toEqual([])
      expect(reasonsOf(outcomes)).toEqual({ OAUTH_INVALID_GRANT: CALLERS - 1 })
      const tokens = tokensOf(first?.token)
      expect(await server.introspectAll(owner.client, [tokens.accessToken, tokens.refreshToken])).toEqual([
        false,
        false,
      ])
      const again = await refusalOf(
        server.call(refreshToken, { client: owner.client, refreshToken: tokens.refreshToken }),
      )
      expect(again.reason).toBe('OAUTH_INVALID_GRANT')
      for (const table of ['oauth_grants', 'oauth_access_tokens', 'oauth_refresh_tokens']) {
        expect(await rowsOf(table, owner.clientId)).toBe(1)
      }
      expect(await eventsOf(server, owner.clientId)).toEqual({
        'authorization.granted': 1,
        'token.issued': 1,
        'authorization_code.reused': 1,
      })
    }
  })

  it('issue one new refresh token for one refresh token, the same in every answer', {
    timeout: TIMEOUT_MS,
  }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const owner = await given.client()
      const { client, clientId } = owner
      const first = await given.family(owner)
      const refresh = (token: string) => crowd.call(refreshToken, { client, refreshToken: token })

      let current = first
      for (const generation of [1, 2]) {
        const outcomes = await crowd.rush(CALLERS, () => refresh(current.refreshToken))
        expect(reasonsOf(outcomes)).toEqual({})
        // `expiresIn` may differ, because it is the remaining lifetime.
        const answers = answersOf(outcomes).map(({ token }) => JSON.stringify({ ...tokensOf(token), expiresIn: 0 }))
        expect(new Set(answers).size).toBe(1)
        const successor = tokensOf(answersOf(outcomes)[0]?.token)
        const spent = [current.refreshToken, successor.refreshToken, successor.accessToken]
        expect(await server.introspectAll(client, spent)).toEqual([false, true, true])
        expect(await rowsOf('oauth_refresh_tokens', clientId)).toBe(1 + generation)
        expect(await rowsOf('oauth_access_tokens', clientId)).toBe(1 + generation)
        current = successor
      }
      expect(await eventsOf(server, clientId)).toEqual({
        'authorization.granted': 1,
        'token.issued': 1,
        'token.refreshed': 2,
      })

      // The new refresh token is spent, so this is reuse: every call is refused, and the event is recorded once.
      const late = await crowd.rush(CALLERS, () => refresh(first.refreshToken))
      expect(reasonsOf(late)).toEqual({ OAUTH_INVALID_GRANT: CALLERS })
      expect(await server.introspectAll(client, [current.refreshToken, current.accessToken])).toEqual([false, false])
      expect(await eventsOf(server, clientId)).toMatchObject({ 'token.refreshed': 2, 'refresh_token.reused': 1 })
    }
  })

  it('repeat the answer for a spent refresh token for the same request, and refuse other requests', async () => {
    const owner = await given.client()
    const { client, clientId } = owner
    const { refreshToken: refresh } = await given.family(owner)
    const outcomes = await crowd.rush(CALLERS, (index) =>
      crowd.call(refreshToken, { client, refreshToken: refresh, scopes: index % 2 === 0 ? ['read'] : ['write'] }),
    )
    const answers = answersOf(outcomes).map(({ token }) => token)
    expect(answers.length).toBe(CALLERS / 2)
    expect(new Set(answers.map((token) => token?.refreshToken)).size).toBe(1)
    expect(new Set(answers.map((token) => token?.scopes.join(' '))).size).toBe(1)
    expect(reasonsOf(outcomes)).toEqual({ OAUTH_INVALID_GRANT: CALLERS / 2 })
    // This is not reuse, so the family is still active.
    expect(await server.introspectAll(client, [answers[0]?.refreshToken ?? ''])).toEqual([true])
    expect(await eventsOf(server, clientId)).toMatchObject({ 'token.refreshed': 1 })
  })

  it("issue a device's tokens once", { timeout: TIMEOUT_MS }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const owner = await given.client()
      const deviceCode = await given.approvedDevice(owner)
      const outcomes = await crowd.rush(CALLERS, () =>
        crowd.call(redeemDeviceCode, { client: owner.client, deviceCode }),
      )

      const [first, ...more] = answersOf(outcomes)
      expect(more).toEqual([])
      expect(reasonsOf(outcomes)).toEqual({ OAUTH_INVALID_GRANT: CALLERS - 1 })
      const tokens = tokensOf(first?.token)
      expect(await server.introspectAll(owner.client, [tokens.accessToken, tokens.refreshToken])).toEqual([true, true])
      expect(await rowsOf('oauth_access_tokens', owner.clientId)).toBe(1)
      expect(await rowsOf('oauth_refresh_tokens', owner.clientId)).toBe(1)
      expect(await eventsOf(server, owner.clientId)).toEqual({
        'device.started': 1,
        'authorization.granted': 1,
        'device.approved': 1,
        'token.issued': 1,
        'device.redeemed': 1,
      })
    }
  })

  it('slow down all polls of an undecided device but one, by 5 s each', { timeout: TIMEOUT_MS }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const owner = await given.client()
      const { deviceCode } = await given.device(owner)
      const outcomes = await crowd.rush(CALLERS, () =>
        crowd.call(redeemDeviceCode, { client: owner.client, deviceCode }),
      )
      expect(reasonsOf(outcomes)).toEqual({
        OAUTH_DEVICE_AUTHORIZATION_PENDING: 1,
        OAUTH_DEVICE_SLOW_DOWN: CALLERS - 1,
      })
      const next = await refusalOf(server.call(redeemDeviceCode, { client: owner.client, deviceCode }))
      expect(Number(next.details.retry?.retryDelay?.seconds)).toBe(5 + CALLERS * 5)
    }
  })
})
