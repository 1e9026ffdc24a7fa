import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { DeviceAuthorizationState, DeviceService } from '../../packages/client/src/gen/qscope/v1/device_service_pb.ts'
import { SubjectType } from '../../packages/client/src/gen/qscope/v1/token_pb.ts'
import { CodeChallengeMethod, TokenService } from '../../packages/client/src/gen/qscope/v1/token_service_pb.ts'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { CHANNELS, errorOf, givenServer } from '../packages/client/given.ts'
import { inSeconds, signed } from '../setup/assertions.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { ACCESS_TOKEN_TYPE, grantsOn, isSpan, pkcePair, REDIRECT_URI } from '../setup/grants.ts'
import { JWT } from '../setup/jwt.ts'
import { AUDIENCE, CLUSTER, trustedIssuers } from '../setup/trusted-issuers.ts'

const { file, cluster } = await trustedIssuers(suiteFolder())
const server = givenServer({ QSCOPE_TRUSTED_ISSUERS_FILE: file })
beforeAll(async () => {
  await server().registerClient({ clientId: 'orders', grantTypes: [GrantType.JWT_BEARER], scopes: ['orders.read'] })
})
const tokens = TokenService.method
const devices = DeviceService.method

describe.each(CHANNELS)('a generated client over $transport', ({ open }) => {
  const given = () => {
    const channel = open(server().address)
    onTestFinished(() => channel.close())
    return { ...channel, grants: grantsOn(server()), bearer: { bearer: server().admin.token } }
  }
  const service = (more: object = {}) =>
    server().registerClient({
      scopes: ['orders.read', 'orders.write'],
      audiences: ['warehouse'],
      grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.TOKEN_EXCHANGE],
      ...more,
    })
  const codeFor = async ({ unary, bearer, grants }: ReturnType<typeof given>, clientId: string) => {
    const { verifier, challenge } = pkcePair()
    const asked = {
      clientId,
      user: grants.newUser(),
      redirectUri: REDIRECT_URI,
      codeChallenge: challenge,
      codeChallengeMethod: CodeChallengeMethod.S256,
    }
    const { code } = await unary(tokens.createAuthorizationCode, asked, bearer)
    return { code, codeVerifier: verifier, redirectUri: REDIRECT_URI }
  }

  it('mints, verifies, introspects and revokes', async () => {
    const { unary } = given()
    const { client, clientId } = await service()
    const { token } = await unary(tokens.mintToken, { client, scopes: ['orders.read'], lifetime: { seconds: 60n } })
    expect(token).toMatchObject({ tokenType: 'Bearer', scopes: ['orders.read'] })
    expect(Number(token?.expiresIn?.seconds)).toSatisfy(isSpan(60))
    const presented = { client, token: token?.accessToken ?? '' }
    const { claims } = await unary(tokens.verifyToken, { ...presented, requiredScopes: ['orders.read'] })
    expect(claims).toMatchObject({ clientId, subject: clientId, subjectType: SubjectType.CLIENT })
    const lacking = await errorOf(unary(tokens.verifyToken, { ...presented, requiredScopes: ['orders.write'] }))
    expect(lacking).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_INSUFFICIENT_SCOPE' })
    const batch = { client, tokens: [presented.token, server().unknownToken()] }
    const { results } = await unary(tokens.batchIntrospectTokens, batch)
    expect(results.map(({ active }) => active)).toEqual([true, false])
    await unary(tokens.revokeToken, presented)
    expect((await unary(tokens.introspectToken, presented)).active).toBe(false)
    expect(await errorOf(unary(tokens.verifyToken, presented))).toMatchObject({
      status: 'UNAUTHENTICATED',
      reason: 'OAUTH_INVALID_TOKEN',
      metadata: { token: 'presented' },
    })
  })

  it('mints a batch with a result for each request', async () => {
    const { unary } = given()
    const { client } = await service({ config: JWT })
    const requests = [{ scopes: ['orders.read'] }, { scopes: ['orders.delete'] }]
    const { results } = await unary(tokens.batchMintTokens, { client, requests })
    expect(results.map(({ result }) => result.case)).toEqual(['token', 'status'])
    expect(results[0]?.result.value).toMatchObject({ accessToken: expect.stringMatching(/^ey[^.]+\.[^.]+\.[^.]+$/) })
    expect(results[1]?.result.value).toMatchObject({ code: 3 })
  })

  it('exchanges a code, refreshes, replays a refresh, and is refused for reuse of a refresh token', async () => {
    const context = given()
    const { unary, grants } = context
    const { client, clientId } = await grants.webClient()
    const code = await codeFor(context, clientId)
    const wrong = await errorOf(
      unary(tokens.exchangeAuthorizationCode, { client, ...code, codeVerifier: pkcePair().verifier }),
    )
    expect(wrong).toMatchObject({ status: 'FAILED_PRECONDITION', reason: 'OAUTH_INVALID_GRANT' })
    const { token } = await unary(tokens.exchangeAuthorizationCode, { client, ...code })
    const first = token?.refreshToken ?? ''
    const refreshed = (await unary(tokens.refreshToken, { client, refreshToken: first })).token
    const replayed = (await unary(tokens.refreshToken, { client, refreshToken: first })).token
    expect(replayed?.refreshToken).toBe(refreshed?.refreshToken)
    await unary(tokens.refreshToken, { client, refreshToken: refreshed?.refreshToken ?? '' })
    const reused = await errorOf(unary(tokens.refreshToken, { client, refreshToken: first }))
    expect(reused).toMatchObject({ status: 'FAILED_PRECONDITION', reason: 'OAUTH_INVALID_GRANT' })
    expect(await grants.isActive(refreshed?.accessToken ?? '')).toBe(false)
  })

  it('exchanges a token for one to call another service', async () => {
    const { unary, grants } = given()
    const [front, back] = [await service(), await service()]
    const subjectToken = (await grants.mint(front)).accessToken
    const asked = { client: back.client, subjectToken, subjectTokenType: ACCESS_TOKEN_TYPE, scopes: ['orders.read'] }
    const { token } = await unary(tokens.exchangeToken, asked)
    expect(token).toMatchObject({ issuedTokenType: ACCESS_TOKEN_TYPE, scopes: ['orders.read'] })
    const claims = await grants.claimsOf(token?.accessToken ?? '')
    expect(claims).toMatchObject({ subject: front.clientId, actor: { subject: back.clientId } })
    const unknown = { ...asked, subjectToken: server().unknownToken() }
    expect(await errorOf(unary(tokens.exchangeToken, unknown))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'OAUTH_INVALID_REQUEST',
    })
  })

  it('exchanges the assertion of a trusted issuer', async () => {
    const { unary } = given()
    const sub = 'system:serviceaccount:shop:orders'
    const claims = { iss: CLUSTER, sub, aud: AUDIENCE, iat: inSeconds(0), exp: inSeconds(600) }
    const assertion = await signed(cluster, claims)
    const { token } = await unary(tokens.exchangeAssertion, { assertion })
    expect(token?.scopes).toEqual(['orders.read'])
    const forged = await errorOf(unary(tokens.exchangeAssertion, { assertion: `${assertion.slice(0, -8)}AAAAAAAA` }))
    expect(forged).toMatchObject({ status: 'FAILED_PRECONDITION', reason: 'OAUTH_INVALID_GRANT' })
  })

  it('receives the poll interval of a device authorization, and redeems it once', async () => {
    const { unary, grants } = given()
    const { client } = await grants.deviceClient()
    const started = await unary(devices.startDeviceAuthorization, { client })
    const request = { client, deviceCode: started.deviceCode }
    const pending = await errorOf(unary(devices.redeemDeviceCode, request))
    expect(pending).toMatchObject({ reason: 'OAUTH_DEVICE_AUTHORIZATION_PENDING', retryAfterMs: 5_000 })
    await grants.approveDevice(started)
    expect((await unary(devices.redeemDeviceCode, request)).token?.accessToken).toMatch(/^qat_/)
    expect((await errorOf(unary(devices.redeemDeviceCode, request))).reason).toBe('OAUTH_INVALID_GRANT')
  })

  it('watches a device authorization', async () => {
    const { unary, serverStream, grants } = given()
    const { client } = await grants.deviceClient()
    const started = await unary(devices.startDeviceAuthorization, { client })
    const states: DeviceAuthorizationState[] = []
    const request = { client, deviceCode: started.deviceCode }
    for await (const { state, token } of serverStream(devices.watchDeviceAuthorization, request)) {
      if (states.length === 0) await grants.approveDevice(started)
      if (states.at(-1) !== state) states.push(state)
      expect(token !== undefined).toBe(state === DeviceAuthorizationState.APPROVED)
    }
    expect(states).toEqual([DeviceAuthorizationState.PENDING, DeviceAuthorizationState.APPROVED])
  })
})
