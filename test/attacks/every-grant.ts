import { randomUUID } from 'node:crypto'
import type { DescMethodUnary } from '@bufbuild/protobuf'
import { AccessTokenFormat, AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { inSeconds, jwksOf, type SigningPair, signed, signingPair } from '../setup/assertions.ts'
import { Refused, type Sent } from '../setup/client.ts'
import { grantsOn, type Tokens } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'
import { CI } from '../setup/trusted-issuers.ts'
import type { Needles } from './needles.ts'

type Server = TestServer
type Registered = Awaited<ReturnType<Server['registerClient']>>

/** Uses every grant with valid and invalid requests, and records every secret. */
export async function useEveryGrant(server: Server, ci: SigningPair, needles: Needles): Promise<readonly string[]> {
  const grants = grantsOn(server)
  const refusals: string[] = []
  const bearer = grants.bearer()
  needles.add('the admin’s secret', server.admin.clientSecret)
  needles.add('the admin’s token', server.admin.token)

  const keep = (what: string, tokens: Tokens): Tokens => {
    needles.add(`an access token: ${what}`, tokens.accessToken)
    if (tokens.refreshToken !== '') needles.add(`a refresh token: ${what}`, tokens.refreshToken)
    return tokens
  }
  const known = (what: string, client: Registered): Registered => {
    if (client.clientSecret !== '') needles.add(`a client secret: ${what}`, client.clientSecret)
    return client
  }
  /** A call that must fail, because errors could contain secrets in the answer and in the log. */
  async function failing(method: DescMethodUnary, request: Record<string, unknown>, sent: Sent = {}) {
    try {
      await server.call(method, request, sent)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      refusals.push(
        `${error.message} ${JSON.stringify(error.details, (_key, value) => (typeof value === 'bigint' ? String(value) : value))}`,
      )
      return
    }
    throw new Error(`${method.name} was to fail`)
  }

  for (const accessTokenFormat of [AccessTokenFormat.OPAQUE, AccessTokenFormat.JWT]) {
    const form = accessTokenFormat === AccessTokenFormat.JWT ? 'JWT' : 'opaque'
    const config = { accessTokenFormat, refreshTokenReplayWindow: { seconds: 10n } }
    const web = known('web', await grants.webClient({ config }))
    const code = await grants.createCode(web)
    needles.add('an authorization code', code.code)
    needles.add('a code verifier', code.verifier ?? '')
    await failing(TokenService.method.exchangeAuthorizationCode, {
      client: web.client,
      code: code.code,
      redirectUri: code.redirectUri,
      codeVerifier: needles.add('a wrong verifier', `${randomUUID()}-${randomUUID()}`),
    })
    const first = keep(`${form} by code`, await grants.exchangeCode(web, code))
    const second = keep(`${form} refreshed`, await grants.refresh(web, first.refreshToken))
    keep(`${form} replayed`, await grants.refresh(web, first.refreshToken))
    const third = keep(`${form} refreshed again`, await grants.refresh(web, second.refreshToken))
    // Still inside its replay window, so the answer is stored.
    const kept = await grants.signIn(web)
    keep(`${form} kept`, kept)
    keep(`${form} kept, refreshed`, await grants.refresh(web, kept.refreshToken))
    await failing(TokenService.method.refreshToken, { client: web.client, refreshToken: first.refreshToken })
    await failing(TokenService.method.exchangeAuthorizationCode, {
      client: web.client,
      code: code.code,
      redirectUri: code.redirectUri,
      codeVerifier: code.verifier,
    })
    await failing(TokenService.method.verifyToken, { client: web.client, token: third.accessToken })

    const service = known('service', await grants.serviceClient({ config }))
    const minted = keep(`${form} minted`, await grants.mint(service))
    keep(`${form} exchanged`, await grants.exchangeToken(service, minted.accessToken))
    const batch = await server.call(TokenService.method.batchMintTokens, { client: service.client, requests: [{}, {}] })
    for (const { result } of batch.results) {
      if (result.case === 'token') needles.add(`an access token: ${form} in a batch`, result.value.accessToken)
    }
    await server.call(TokenService.method.mintToken, {}, { basic: [service.clientId, service.clientSecret] })
    await server.call(TokenService.method.introspectToken, { client: service.client, token: minted.accessToken })
    await server.call(TokenService.method.revokeToken, { client: service.client, token: minted.accessToken })
    await failing(ClientService.method.listClients, {}, { bearer: minted.accessToken })

    const tv = await grants.deviceClient({ config })
    for (const decide of [grants.approveDevice, grants.denyDevice]) {
      const device = await grants.startDevice(tv)
      needles.add('a device code', device.deviceCode)
      needles.add('a user code', device.userCode)
      needles.add('a user code without its dash', device.userCode.replace('-', ''))
      const attemptKey = needles.add('an attempt key', `session-${randomUUID()}`)
      await server.call(DeviceService.method.getDeviceAuthorization, { userCode: device.userCode, attemptKey }, bearer)
      await failing(DeviceService.method.redeemDeviceCode, { client: tv.client, deviceCode: device.deviceCode })
      const watch = grants.watchDevice(tv, device)
      await decide(device, { attemptKey })
      await watch.ended.catch((error: unknown) => refusals.push(String(error)))
      for (const { token } of watch.items) {
        if (token === undefined) continue
        needles.add(`an access token: ${form} watched`, token.accessToken)
        needles.add(`a refresh token: ${form} watched`, token.refreshToken ?? '')
      }
    }
  }

  const pair = signingPair('ES256')
  needles.add('a client’s private key', String(pair.privateKey.export({ format: 'jwk' }).d))
  const { clientId } = await server.registerClient({
    authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
    jwks: jwksOf(pair),
    scopes: ['orders'],
  })
  const claims = { iss: clientId, sub: clientId, aud: server.issuer, jti: randomUUID(), exp: inSeconds(60) }
  const asserted = needles.add('a client assertion', await signed(pair, claims))
  const assertion = { clientId, method: { case: 'clientAssertion' as const, value: asserted } }
  const { token: byAssertion } = await server.call(TokenService.method.mintToken, { client: assertion })
  needles.add('an access token: by client assertion', byAssertion?.accessToken ?? '')
  await failing(TokenService.method.mintToken, { client: assertion })

  await server.registerClient({ clientId: 'ci-runner', grantTypes: [GrantType.JWT_BEARER], scopes: ['deploy'] })
  const job = { iss: CI, sub: 'job', jti: randomUUID(), iat: inSeconds(0), exp: inSeconds(60) }
  for (const aud of [server.issuer, 'another']) {
    const grant = needles.add(`an assertion for ${aud}`, await signed(ci, { ...job, aud }))
    if (aud === 'another') await failing(TokenService.method.exchangeAssertion, { assertion: grant })
    else {
      const { token } = await server.call(TokenService.method.exchangeAssertion, { assertion: grant })
      needles.add('an access token: by grant assertion', token?.accessToken ?? '')
    }
  }

  const rotated = known('rotated', await grants.serviceClient())
  const { clientSecret } = await server.call(
    ClientService.method.rotateClientSecret,
    { clientId: rotated.clientId, overlap: { seconds: 60n } },
    bearer,
  )
  needles.add('a rotated secret', clientSecret)
  await server.call(UserService.method.registerUser, { externalId: server.unique('user-') }, bearer)
  await server.call(KeyService.method.prepareSigningKey, {}, bearer)

  // Secrets that are wrong, mistyped, truncated, or in the wrong field.
  const { mintToken, introspectToken } = TokenService.method
  const mistyped = needles.add('a mistyped secret', `${rotated.clientSecret.slice(0, -1)}_`)
  const cut = needles.add('a secret cut short', rotated.clientSecret.slice(0, -3))
  for (const value of [rotated.clientSecret, server.unknownToken(), mistyped, cut, `x${server.admin.clientSecret}`]) {
    needles.add('a wrong secret', value)
    await failing(mintToken, { client: { clientId: 'orders', method: { case: 'clientSecret', value } } })
    await failing(mintToken, { client: { clientId: value, method: { case: 'clientSecret', value: 'orders' } } })
    await failing(mintToken, {}, { basic: [value, 'orders'] })
    await failing(mintToken, {}, { basic: ['orders', value], metadata: { 'x-ray-id': value } })
    await failing(mintToken, { client: { clientId: value } })
    await failing(introspectToken, { token: 'x' }, { bearer: value })
    await failing(ClientService.method.getClient, { clientId: value }, { bearer: value })
    await failing(ClientService.method.listClients, { pageToken: value }, bearer)
  }
  return refusals
}
