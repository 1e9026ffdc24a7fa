import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { databaseKinds } from '../setup/fresh-database.ts'
import { grantsOn } from '../setup/grants.ts'
import { startServer, type TestServer } from '../setup/server.ts'

const { mintToken, verifyToken, introspectToken, batchIntrospectTokens, revokeTokens, refreshToken } =
  TokenService.method
const NO_CLIENT = { case: 'tokenId' as const }

describe('the log tells why a token was refused, under the ray id, by its handle', () => {
  let server: TestServer
  let rays = 0

  beforeAll(async () => {
    const [sqlite] = databaseKinds
    server = await startServer((await sqlite?.create())?.url ?? '')
  })
  afterAll(() => server.stop())

  /** Makes a call that may be refused, and answers the refusals that were logged under its ray id. */
  async function refusalsOf(call: (sent: { metadata: Record<string, string> }) => Promise<unknown>) {
    rays += 1
    const rayId = `refused-${rays}`
    await call({ metadata: { 'x-ray-id': rayId } }).catch(() => undefined)
    return server.lines.filter((line) => line['rayId'] === rayId && line['msg'] === 'token refused')
  }

  async function minted(wanted: Parameters<TestServer['registerClient']>[0] = {}, audiences: string[] = []) {
    const made = await server.registerClient({ clientId: server.unique('c-'), ...wanted })
    const { token } = await server.call(mintToken, { client: made.client, audiences })
    return { ...made, token: token?.accessToken ?? '', tokenId: token?.tokenId ?? '' }
  }

  const admin = () => ({ bearer: server.admin.token })

  test.each<[string, (one: Awaited<ReturnType<typeof minted>>) => Promise<unknown>]>([
    ['revoked', (one) => server.call(revokeTokens, { target: { ...NO_CLIENT, value: one.tokenId } }, admin())],
    ['client_disabled', (one) => server.call(ClientService.method.disableClient, { clientId: one.clientId }, admin())],
    [
      'client_tokens_revoked',
      (one) => server.call(revokeTokens, { target: { case: 'clientId', value: one.clientId } }, admin()),
    ],
  ])('%s, for introspection, verification and as a bearer', async (reason, end) => {
    const one = await minted({ scopes: ['qscope:clients.read'] })
    await end(one)
    const { client } = server.admin
    const calls = [
      refusalsOf((sent) => server.call(introspectToken, { token: one.token }, { ...admin(), ...sent })),
      refusalsOf((sent) => server.call(verifyToken, { token: one.token }, { ...admin(), ...sent })),
      refusalsOf((sent) => server.call(ClientService.method.listClients, {}, { bearer: one.token, ...sent })),
    ]
    for (const lines of await Promise.all(calls)) {
      expect(lines).toMatchObject([{ level: 30, reason, tokenId: one.tokenId, tokenClientId: one.clientId }])
    }
    expect(client.clientId).not.toBe(one.clientId)
    expect(JSON.stringify(server.lines)).not.toContain(one.token)
  })

  test('another client’s, a wrong audience and a missing scope', async () => {
    const one = await minted({ audiences: ['stock'], scopes: ['a'] }, ['stock'])
    const other = await minted()
    const asOther = await refusalsOf((sent) =>
      server.call(introspectToken, { client: other.client, token: one.token }, sent),
    )
    expect(asOther).toMatchObject([{ level: 30, reason: 'not_visible', tokenId: one.tokenId }])
    const verify = (wanted: object) =>
      refusalsOf((sent) => server.call(verifyToken, { client: one.client, token: one.token, ...wanted }, sent))
    expect(await verify({ audience: 'shop' })).toMatchObject([{ reason: 'wrong_audience', tokenId: one.tokenId }])
    expect(await verify({ requiredScopes: ['b'] })).toMatchObject([{ reason: 'missing_scope', tokenId: one.tokenId }])
    expect(await verify({ audience: 'stock', requiredScopes: ['a'] })).toEqual([])
    const managing = await refusalsOf((sent) =>
      server.call(ClientService.method.listClients, {}, { bearer: other.token, ...sent }),
    )
    expect(managing).toMatchObject([{ reason: 'missing_scope', tokenId: other.tokenId }])
  })

  test('a user who was deactivated, and a refresh token that is spent', async () => {
    const grants = grantsOn(server)
    const app = await grants.webClient()
    const issued = await grants.signIn(app)
    const spent = issued.refreshToken
    const { token } = await server.call(refreshToken, { client: app.client, refreshToken: spent })
    const bySpent = await refusalsOf((sent) => server.call(introspectToken, { client: app.client, token: spent }, sent))
    expect(bySpent).toMatchObject([{ level: 30, reason: 'spent' }])
    const { users } = await server.call(UserService.method.listUsers, {}, admin())
    for (const { userId } of users) await server.call(UserService.method.deactivateUser, { userId }, admin())
    const access = token?.accessToken ?? ''
    const lines = await refusalsOf((sent) => server.call(verifyToken, { client: app.client, token: access }, sent))
    expect(lines).toMatchObject([{ level: 30, reason: 'user_deactivated', tokenId: token?.tokenId }])
  })

  test('an expired one', async () => {
    const one = await minted({ config: { accessTokenTtl: { seconds: 60n } } })
    server.clock.advance(61_000)
    const lines = await refusalsOf((sent) =>
      server.call(introspectToken, { client: one.client, token: one.token }, sent),
    )
    expect(lines).toMatchObject([{ level: 30, reason: 'expired', tokenId: one.tokenId }])
  })

  test('invented tokens only at debug, and few lines for a batch', async () => {
    const { client } = await minted()
    const unknown = await refusalsOf((sent) =>
      server.call(introspectToken, { client, token: server.unknownToken() }, sent),
    )
    expect(unknown).toMatchObject([{ level: 20, reason: 'unknown' }])
    const one = await minted()
    await server.call(ClientService.method.disableClient, { clientId: one.clientId }, admin())
    const tokens = Array.from({ length: 100 }, () => one.token)
    const many = await refusalsOf((sent) => server.call(batchIntrospectTokens, { client, tokens }, sent))
    expect(many).toHaveLength(20)
    expect(server.lines).toContainEqual(expect.objectContaining({ more: 80, rayId: many[0]?.['rayId'] }))
  })

  test('and every refused call with the failed claim', async () => {
    const { client } = await minted()
    const request = { client, refreshToken: 'qrt_x' }
    await server.call(refreshToken, request, { metadata: { 'x-ray-id': 'claim' } }).catch(() => undefined)
    const line = server.lines.find(({ rayId, msg }) => rayId === 'claim' && msg === 'call')
    expect(line).toMatchObject({ reason: 'oauth.unauthorized_client', condition: 'grantIsAllowed(refresh_token)' })
  })
})
