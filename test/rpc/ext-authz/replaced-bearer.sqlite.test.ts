import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Authorization } from '../../../src/gen/envoy/service/auth/v3/external_auth_pb.ts'
import { StatusCode } from '../../../src/gen/envoy/type/v3/http_status_pb.ts'
import { Code } from '../../../src/gen/google/rpc/code_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../../src/gen/qscope/v1/user_service_pb.ts'
import { refusalOf } from '../../setup/client.ts'
import { type FreshDatabase, sqliteFiles } from '../../setup/fresh-database.ts'
import { grantsOn } from '../../setup/grants.ts'
import { startServer, type TestServer } from '../../setup/server.ts'
import { AUDIENCE, asking, decisionOf } from './asking.ts'

const BILLING = 'https://billing.example'
const { check } = Authorization.method
const { revokeToken, revokeTokens } = TokenService.method
const MINUTE_S = 60

/** What a JWT says, unverified. */
const claimsIn = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())

describe('a bearer token that Envoy has replaced', () => {
  let database: FreshDatabase
  let server: TestServer
  let grants: ReturnType<typeof grantsOn>
  let shop: Awaited<ReturnType<TestServer['registerClient']>>

  beforeAll(async () => {
    database = await sqliteFiles.create()
    server = await startServer(database.url, undefined, undefined, {
      QSCOPE_EXT_AUTHZ: 'on',
      QSCOPE_EXT_AUTHZ_PEERS: 'loopback',
    })
    grants = grantsOn(server)
    shop = await server.registerClient({
      clientId: 'shop',
      scopes: ['orders.read', 'orders.write', 'qscope:tokens.read'],
      audiences: [AUDIENCE, BILLING],
    })
  })
  afterAll(async () => {
    await server.stop()
    await database.drop()
  })

  const mint = async (more: object = {}) =>
    await grants.mint(shop, { scopes: ['orders.read'], audiences: [AUDIENCE, BILLING], ...more })
  const asked = async (bearer: string, extensions: Readonly<Record<string, string>> = {}) => {
    const attributes = asking({ authorization: `Bearer ${bearer}` }, { replace_bearer: 'jwt', ...extensions })
    return decisionOf(await server.call(check, { attributes }))
  }
  /** The one that takes its place. */
  async function replacementOf(bearer: string): Promise<string> {
    const { code, set } = await asked(bearer)
    expect(code).toBe(Code.OK)
    const [, jwt = ''] = /^Bearer (.+)$/.exec(set['authorization'] ?? '') ?? []
    return jwt
  }

  it("is a JWT for only the route's audience, of the same client, for at most a minute", async () => {
    const { accessToken } = await mint()
    const jwt = await replacementOf(accessToken)
    const claims = claimsIn(jwt)
    expect(claims).toMatchObject({
      iss: server.issuer,
      aud: AUDIENCE,
      sub: 'shop',
      client_id: 'shop',
      scope: 'orders.read',
    })
    expect(claims.exp - claims.iat).toBeLessThanOrEqual(MINUTE_S)
    expect(claims.act).toBeUndefined()
    expect(await grants.claimsOf(jwt)).toMatchObject({ clientId: 'shop', audiences: [AUDIENCE], tokenId: claims.jti })
  })

  it('is sent with the headers that describe the original token', async () => {
    const { accessToken } = await mint()
    const came = await grants.claimsOf(accessToken)
    const { set, removed } = await asked(accessToken)
    expect(set).toMatchObject({ 'x-qscope-client-id': 'shop', 'x-qscope-token-id': came?.tokenId })
    expect(removed).toEqual([])
  })

  it('represents the user of the bearer token', async () => {
    const web = await grants.webClient({ audiences: [AUDIENCE] })
    const { accessToken } = await grants.signIn(web, { audiences: [AUDIENCE] })
    const came = await grants.claimsOf(accessToken)
    const claims = claimsIn(await replacementOf(accessToken))
    expect(claims).toMatchObject({ sub: came?.subject, client_id: web.clientId })
  })

  it('lives no longer than the bearer token', async () => {
    const { accessToken } = await mint({ lifetime: { seconds: 20n } })
    const came = await grants.claimsOf(accessToken)
    expect(claimsIn(await replacementOf(accessToken)).exp).toBe(Number(came?.expireTime?.seconds))
  })

  it('never has permissions of QScope', async () => {
    const audience = server.issuer
    const { accessToken } = await mint({ scopes: ['orders.read', 'qscope:tokens.read'], audiences: [audience] })
    const { set } = await asked(accessToken, { audience })
    expect(set['x-qscope-scopes']).toBe('orders.read qscope:tokens.read')
    expect(claimsIn(set['authorization'] ?? '')).toMatchObject({ aud: audience, scope: 'orders.read' })
  })

  it('carries all its revocation keys: those of the bearer token, and its own', async () => {
    const { accessToken } = await mint()
    const came = await grants.claimsOf(accessToken)
    const keys = came?.revocationKeys.map((key) => Buffer.from(key).toString('base64url')) ?? []
    expect(keys).not.toEqual([])
    const { rvk } = claimsIn(await replacementOf(accessToken))
    expect(rvk).toEqual(expect.arrayContaining(keys))
    expect(rvk.length).toBeGreaterThan(keys.length)
  })

  it('is shared by many requests, and renewed after half of its life', async () => {
    const { accessToken } = await mint()
    const served = await Promise.all(Array.from({ length: 50 }, () => replacementOf(accessToken)))
    const [first] = served
    expect(new Set(served).size).toBe(1)
    server.clock.advance(25_000)
    expect(await replacementOf(accessToken)).toBe(first)
    server.clock.advance(10_000)
    const next = await replacementOf(accessToken)
    expect(next).not.toBe(first)
    expect(await grants.isActive(next)).toBe(true)
  })

  it('differs for each bearer token and each audience', async () => {
    const [one, two] = [await mint(), await mint()]
    const billing = await asked(one.accessToken, { audience: BILLING })
    const jwts = [await replacementOf(one.accessToken), await replacementOf(two.accessToken)]
    expect(new Set([...jwts, billing.set['authorization']?.replace('Bearer ', '')]).size).toBe(3)
    expect(claimsIn(billing.set['authorization'] ?? '')).toMatchObject({ aud: BILLING })
  })

  it.each<[what: string, end: (bearer: string, tokenId: string) => Promise<unknown>]>([
    [
      'the revocation of the bearer token',
      async (token) => await server.call(revokeToken, { client: shop.client, token }),
    ],
    [
      'its own',
      async (_bearer, tokenId) =>
        await server.call(
          revokeTokens,
          { target: { case: 'tokenId', value: tokenId } },
          { bearer: server.admin.token },
        ),
    ],
  ])('ends with %s', async (_what, end) => {
    const { accessToken } = await mint()
    const jwt = await replacementOf(accessToken)
    expect(await grants.isActive(jwt)).toBe(true)
    await end(accessToken, claimsIn(jwt).jti)
    expect(await grants.isActive(jwt)).toBe(false)
  })

  it("ends when its user's tokens are revoked", async () => {
    const web = await grants.webClient({ audiences: [AUDIENCE] })
    const { accessToken } = await grants.signIn(web, { audiences: [AUDIENCE] })
    const jwt = await replacementOf(accessToken)
    const { sub: userId } = claimsIn(jwt)
    await server.call(UserService.method.deactivateUser, { userId }, { bearer: server.admin.token })
    expect(await grants.isActive(jwt)).toBe(false)
    expect(await asked(accessToken)).toMatchObject({ http: StatusCode.Unauthorized })
  })

  it('is audited as an exchanged token, on behalf of the server only', async () => {
    const { accessToken } = await mint()
    const { jti } = claimsIn(await replacementOf(accessToken))
    const events = await server.auditEvents({ eventTypes: ['token.exchanged'] })
    expect(events.find(({ tokenId }) => tokenId === jti)).toMatchObject({
      clientId: 'shop',
      actor: 'system:ext_authz',
      metadata: { scopes: 'orders.read', audiences: AUDIENCE },
    })
  })

  it('is refused if the bearer token was exchanged the maximum number of times', async () => {
    const service = await grants.serviceClient({ scopes: ['orders.read'], audiences: [AUDIENCE] })
    let { accessToken } = await grants.mint(service, { scopes: ['orders.read'], audiences: [AUDIENCE] })
    for (let times = 0; times < 5; times += 1) {
      expect(await replacementOf(accessToken)).not.toBe('')
      accessToken = (await grants.exchangeToken(service, accessToken, { audiences: [AUDIENCE] })).accessToken
    }
    expect(await asked(accessToken, { replace_bearer: '' })).toMatchObject({ code: Code.OK })
    expect(await asked(accessToken)).toMatchObject({ code: Code.UNAUTHENTICATED, http: StatusCode.Unauthorized })
  })

  it('is not issued for an insufficient bearer token', async () => {
    const { accessToken } = await mint()
    expect(await asked(server.unknownToken())).toMatchObject({ http: StatusCode.Unauthorized })
    expect(await asked(accessToken, { required_scopes: 'orders.write' })).toMatchObject({ http: StatusCode.Forbidden })
    expect(await asked(accessToken, { audience: 'https://other.example' })).toMatchObject({
      http: StatusCode.Unauthorized,
    })
  })

  it('cannot be requested in another form', async () => {
    const { accessToken } = await mint()
    const attributes = asking({ authorization: `Bearer ${accessToken}` }, { replace_bearer: 'opaque' })
    expect(await refusalOf(server.call(check, { attributes }))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      violations: ['attributes.context_extensions'],
    })
  })
})
