import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { AccessTokenFormat, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { ErrorReason } from '../../src/gen/qscope/v1/error_reason_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { refusalOf } from '../setup/client.ts'
import { isEmbedded } from '../setup/database-names.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { grantsOn } from '../setup/grants.ts'
import { startServer, type TestServer } from '../setup/server.ts'

const { explainMint } = ClientService.method

// An embedded database goes by the clock of its machine.
const servers = databaseKinds.filter(({ name }) => !isEmbedded(name))

describe.each(servers)('an instance whose clock is off, on $name', (kind) => {
  let database: FreshDatabase
  let server: TestServer
  beforeAll(async () => {
    if (!kind.available) return
    database = await kind.createMigrated()
    server = await startServer(database.url)
  })
  afterAll(async () => {
    vi.restoreAllMocks()
    if (!kind.available) return
    await server.stop()
    await database.drop()
  })

  test.skipIf(!kind.available)('issues nothing until it is right again, but verifies and revokes', async () => {
    const grants = grantsOn(server)
    const service = await server.registerClient({ scopes: ['a'] })
    const web = await grants.webClient()
    const { refreshToken } = await grants.signIn(web)
    const code = await grants.createCode(web)
    const minted = await grants.mint(service)
    const realNow = Date.now.bind(Date)
    vi.spyOn(Date, 'now').mockImplementation(() => realNow() + 31_000)
    const refused = [
      () => grants.mint(service),
      () => grants.exchangeCode(web, code),
      () => grants.refresh(web, refreshToken),
      () => server.call(TokenService.method.batchMintTokens, { client: service.client, requests: [{ scopes: ['a'] }] }),
    ]
    for (const call of refused) {
      const refusal = await refusalOf(call())
      expect(refusal).toMatchObject({ status: 'UNAVAILABLE', reason: 'OAUTH_TEMPORARILY_UNAVAILABLE' })
      expect(refusal.message).toMatch(/This instance issues no tokens because its clock differs/)
    }
    const explained = { clientId: service.clientId, grantType: GrantType.CLIENT_CREDENTIALS }
    const { checks, errorReason } = await server.call(explainMint, explained, { bearer: server.admin.token })
    expect(errorReason).toBe(ErrorReason.OAUTH_TEMPORARILY_UNAVAILABLE)
    expect(checks.at(-1)).toMatchObject({
      name: 'clock_is_right',
      passed: false,
      fix: expect.stringMatching(/doctor/),
    })
    // What was refused spent nothing.
    expect(await grants.isActive(minted.accessToken)).toBe(true)
    await server.call(TokenService.method.revokeToken, { client: service.client, token: minted.accessToken })
    expect(await grants.isActive(minted.accessToken)).toBe(false)
    await expect(server.app.purge.round()).rejects.toThrow('the clock of this machine differs too')
    vi.restoreAllMocks()
    await grants.exchangeCode(web, code)
    await grants.refresh(web, refreshToken)
    await grants.mint(service)
    const { verdict } = await server.call(explainMint, explained, { bearer: server.admin.token })
    expect(verdict).toBe(Verdict.ACCEPTED)
  })

  test.skipIf(!kind.available)('revokes tokens that have expired by its clock only', async () => {
    const grants = grantsOn(server)
    const service = await server.registerClient({ scopes: ['a'] })
    const signed = await server.registerClient({ scopes: ['a'], config: { accessTokenFormat: AccessTokenFormat.JWT } })
    const [revoked, leaked] = [await grants.mint(service), await grants.mint(service)]
    const [jwt, leakedJwt] = [await grants.mint(signed), await grants.mint(signed)]
    const tokens = [revoked, leaked, jwt, leakedJwt].map(({ accessToken }) => accessToken)
    const areActive = async () => await Promise.all(tokens.map((token) => grants.isActive(token)))
    expect(await areActive()).toEqual([true, true, true, true])
    const realNow = Date.now.bind(Date)
    vi.spyOn(Date, 'now').mockImplementation(() => realNow() + 86_400_000)
    const { revokeToken, revokeLeakedToken } = TokenService.method
    await server.call(revokeToken, { client: service.client, token: revoked.accessToken })
    await server.call(revokeToken, { client: signed.client, token: jwt.accessToken })
    await server.call(revokeLeakedToken, { token: leaked.accessToken })
    await server.call(revokeLeakedToken, { token: leakedJwt.accessToken })
    vi.restoreAllMocks()
    expect(await areActive()).toEqual([false, false, false, false])
  })
})
