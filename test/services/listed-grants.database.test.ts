import { timestampMs } from '@bufbuild/protobuf/wkt'
import { expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'

const { exchangeAuthorizationCode, listGrants, listTokens, mintToken, revokeTokens } = TokenService.method

onEveryBackend('ListGrants', (server) => {
  const grants = grantsOn(server)
  const admin = () => ({ bearer: server.admin.token })
  const listed = async (filter: { clientId?: string; userId?: string; activeOnly?: boolean }) =>
    (await server.call(listGrants, filter, admin())).grants

  it("lists users' consents, newest first, with their end and state", async () => {
    const app = await grants.webClient({ audiences: ['stock'] })
    await grants.createCode(app, { scopes: ['orders.read'], audiences: ['stock'] })
    const { code, verifier = '', redirectUri } = await grants.createCode(app, { scopes: ['orders.write'] })
    const request = { client: app.client, code, redirectUri, codeVerifier: verifier }
    const { token } = await server.call(exchangeAuthorizationCode, request)
    const [second, first, ...more] = await listed({ clientId: app.clientId })
    expect(more).toEqual([])
    expect(first).toMatchObject({ clientId: app.clientId, scopes: ['orders.read'], audiences: ['stock'], active: true })
    expect(second).toMatchObject({ scopes: ['orders.write'], audiences: [], active: true })
    expect(second?.expireTime).toEqual(token?.grantExpireTime)
    expect(second?.createTime && timestampMs(second.createTime)).toBeLessThanOrEqual(server.clock.now())
    const { tokens } = await server.call(listTokens, { clientId: app.clientId }, admin())
    expect(new Set(tokens.map(({ grantId }) => grantId))).toEqual(new Set([second?.grantId]))
  })

  it('filters active and ended grants', async () => {
    const app = await grants.webClient()
    for (let count = 0; count < 3; count += 1) await grants.signIn(app)
    const [newest, , oldest] = await listed({ clientId: app.clientId })
    await server.call(revokeTokens, { target: { case: 'grantId', value: newest?.grantId ?? '' } }, admin())
    await server.call(UserService.method.deactivateUser, { userId: oldest?.userId ?? '' }, admin())
    const states = (await listed({ clientId: app.clientId })).map(({ active, revokeTime }) => [
      active,
      revokeTime !== undefined,
    ])
    expect(states).toEqual([
      [false, true],
      [true, false],
      [false, false],
    ])
    const active = await listed({ clientId: app.clientId, activeOnly: true })
    expect(active.map((grant) => grant.active)).toEqual([true])
    expect(await listed({ userId: oldest?.userId ?? '' })).toHaveLength(1)
  })

  it('continues page by page, only with the token of this filter', async () => {
    const app = await grants.webClient()
    for (let count = 0; count < 3; count += 1) await grants.createCode(app)
    const all = (await listed({ clientId: app.clientId })).map(({ grantId }) => grantId)
    const first = await server.call(listGrants, { clientId: app.clientId, pageSize: 2 }, admin())
    const next = { clientId: app.clientId, pageSize: 2, pageToken: first.nextPageToken }
    const second = await server.call(listGrants, next, admin())
    expect([...first.grants, ...second.grants].map(({ grantId }) => grantId)).toEqual(all)
    expect(second.nextPageToken).toBe('')
    const refused = await refusalOf(server.call(listGrants, { pageToken: first.nextPageToken }, admin()))
    expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['page_token'] })
    const foreign = server.call(listTokens, { clientId: app.clientId, pageToken: first.nextPageToken }, admin())
    expect((await refusalOf(foreign)).reason).toBe('OAUTH_INVALID_REQUEST')
  })

  it('is available to bearers of qscope:tokens.read', async () => {
    const bearerOf = async (scope: string) => {
      const { client } = await server.registerClient({ scopes: [scope] })
      return { bearer: (await server.call(mintToken, { client })).token?.accessToken ?? '' }
    }
    await server.call(listGrants, {}, await bearerOf('qscope:tokens.read'))
    const refused = await refusalOf(server.call(listGrants, {}, await bearerOf('qscope:users.read')))
    expect(refused).toMatchObject({ reason: 'OAUTH_INSUFFICIENT_SCOPE' })
    expect((await refusalOf(server.call(listGrants, {}))).reason).toBe('OAUTH_INVALID_TOKEN')
  })
})
