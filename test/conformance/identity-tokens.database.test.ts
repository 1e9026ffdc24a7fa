import { createRemoteJWKSet, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { AccessTokenFormat, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { basic, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { ACCESS_TOKEN_TYPE, grantsOn } from '../setup/grants.ts'
import { JWT, partOf } from '../setup/jwt.ts'
import type { TestServer } from '../setup/server.ts'

const { batchMintTokens, introspectToken, mintToken, verifyToken } = TokenService.method
const { getClient, registerClient, updateClient } = ClientService.method

const CLOUD = 'https://sts.cloud.example'
const BANK = 'https://bank.example'
const IDENTITY = { accessTokenFormat: AccessTokenFormat.IDENTITY_JWT }
const notOne = { reason: 'OAUTH_INVALID_REQUEST', violations: [{ field: 'audiences' }] }

const suite = (server: TestServer) => {
  const grants = grantsOn(server)
  const forms = formsOn(server)
  const workload = (more: Parameters<typeof grants.serviceClient>[0] = {}) =>
    server.registerClient({ config: IDENTITY, audiences: [CLOUD, BANK], scopes: ['orders.read'], ...more })
  const refused = async (call: Promise<unknown>) => {
    const { reason, violations } = await refusalOf(call)
    return { reason, violations: violations.map((field) => ({ field })) }
  }

  /** Verifies a token like a relying party that knows only the issuer and its audience. */
  async function relyOn(token: string, audience: string) {
    const discovered = JSON.parse(await (await fetch(`${server.httpUrl}/.well-known/openid-configuration`)).text())
    const { issuer, jwks_uri: keys, id_token_signing_alg_values_supported: algorithms } = discovered
    expect(issuer).toBe(server.issuer)
    return await jwtVerify(token, createRemoteJWKSet(new URL(keys)), {
      issuer,
      audience,
      algorithms,
      typ: 'JWT',
      maxTokenAge: '1h',
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti'],
      currentDate: new Date(server.clock.now()),
    })
  }

  describe('a relying party', () => {
    it('verifies the token by discovery, and refuses one for another audience', async () => {
      const service = await workload()
      const { accessToken, tokenId } = await grants.mint(service, { audiences: [CLOUD] })
      const { payload, protectedHeader } = await relyOn(accessToken, CLOUD)
      expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'JWT', kid: expect.any(String) })
      expect(payload).toMatchObject({ aud: CLOUD, sub: service.clientId, jti: tokenId })
      expect(Number(payload.exp) - Number(payload.iat)).toBeLessThanOrEqual(3_600)
      await expect(relyOn(accessToken, BANK)).rejects.toThrow('"aud"')
    })

    it('does not accept an access token as an identity token', async () => {
      const service = await workload({ config: JWT })
      const { accessToken } = await grants.mint(service, { audiences: [CLOUD] })
      await expect(relyOn(accessToken, CLOUD)).rejects.toThrow('"typ"')
    })

    it('receives the identity of a user by a code or a refresh, for one audience at a time', async () => {
      const web = await grants.webClient({ config: IDENTITY, audiences: [CLOUD, BANK] })
      const code = await grants.createCode(web, { audiences: [CLOUD, BANK] })
      expect(await refused(grants.exchangeCode(web, code))).toEqual(notOne)
      const tokens = await grants.exchangeCode(web, code, { audiences: [CLOUD] })
      const { payload } = await relyOn(tokens.accessToken, CLOUD)
      expect(payload.sub).not.toBe(web.clientId)
      expect(await refused(grants.refresh(web, tokens.refreshToken))).toEqual(notOne)
      const refreshed = await grants.refresh(web, tokens.refreshToken, [], [BANK])
      expect((await relyOn(refreshed.accessToken, BANK)).payload.sub).toBe(payload.sub)
    })
  })

  describe('exactly one audience', () => {
    it('is required by client credentials, in batches too', async () => {
      const service = await workload()
      for (const audiences of [[], [CLOUD, BANK]]) {
        expect(await refused(grants.mint(service, { audiences }))).toEqual(notOne)
      }
      const requests = [{ audiences: [CLOUD] }, {}]
      const { results } = await server.call(batchMintTokens, { client: service.client, requests })
      expect(results.map(({ result }) => result.case)).toEqual(['token', 'status'])
      const form = await forms.token(
        { grant_type: GRANT_TYPES.clientCredentials, resource: CLOUD },
        basic(service.clientId, service.clientSecret),
      )
      expect(partOf(String(form.body['access_token']), 1)['aud']).toBe(CLOUD)
    })

    it('is required by authorization codes and device authorizations', async () => {
      const web = await grants.webClient({ config: IDENTITY, audiences: [CLOUD] })
      expect(await refused(grants.createCode(web))).toEqual(notOne)
      const device = await grants.deviceClient({ config: IDENTITY, audiences: [CLOUD] })
      expect(await refused(grants.startDevice(device))).toEqual(notOne)
      const started = await grants.startDevice(device, { audiences: [CLOUD] })
      await grants.approveDevice(started)
      const { accessToken } = await grants.redeemDevice(device, started)
      expect((await relyOn(accessToken, CLOUD)).payload.aud).toBe(CLOUD)
    })
  })

  describe('where an access token is expected', () => {
    it('is refused as a bearer token and by verification, and inactive in introspection even by its client', async () => {
      const service = await workload()
      const { accessToken } = await grants.mint(service, { audiences: [CLOUD] })
      const bearer = refusalOf(server.call(getClient, { clientId: service.clientId }, { bearer: accessToken }))
      expect((await bearer).reason).toBe('OAUTH_INVALID_TOKEN')
      const verified = refusalOf(server.call(verifyToken, { client: service.client, token: accessToken }))
      expect((await verified).reason).toBe('OAUTH_INVALID_TOKEN')
      const own = await server.call(introspectToken, { client: service.client, token: accessToken })
      expect([own.active, own.claims]).toEqual([false, undefined])
      expect(await grants.isActive(accessToken)).toBe(false)
      const header = basic(service.clientId, service.clientSecret)
      expect((await forms.introspect({ token: accessToken }, header)).body).toEqual({ active: false })
    })

    it('is refused as subject token and actor token of an exchange', async () => {
      const exchanger = await grants.serviceClient({ resourceAudiences: [server.unique('https://x.example/')] })
      const service = await workload({ audiences: [exchanger.clientId] })
      const identity = await grants.mint(service, { audiences: [exchanger.clientId] })
      const notAcceptable = (field: string) => ({ reason: 'OAUTH_INVALID_REQUEST', violations: [{ field }] })
      const subject = grants.exchangeToken(exchanger, identity.accessToken)
      expect(await refused(subject)).toEqual(notAcceptable('subject_token'))
      const own = await grants.mint(exchanger)
      const actor = { actorToken: identity.accessToken, actorTokenType: ACCESS_TOKEN_TYPE }
      const acting = grants.exchangeToken(exchanger, own.accessToken, actor)
      expect(await refused(acting)).toEqual(notAcceptable('actor_token'))
    })

    it('is refused as a client assertion', async () => {
      const service = await workload()
      const { accessToken } = await grants.mint(service, { audiences: [CLOUD] })
      const method = { case: 'clientAssertion' as const, value: accessToken }
      const proved = server.call(mintToken, { client: { clientId: service.clientId, method } })
      expect((await refusalOf(proved)).reason).toBe('OAUTH_INVALID_CLIENT')
    })
  })

  describe('registration', () => {
    const sound = {
      type: ClientType.CONFIDENTIAL,
      config: IDENTITY,
      audiences: [CLOUD],
      grantTypes: [GrantType.CLIENT_CREDENTIALS],
    }
    const unsound = (violations: { field: string }[]) => ({
      reason: 'REGISTRATION_INVALID_CLIENT_METADATA',
      violations,
    })

    it('refuses a configuration that prevents identity tokens, and names every field', async () => {
      const wrong = {
        type: ClientType.CONFIDENTIAL,
        config: { ...IDENTITY, accessTokenTtl: { seconds: 3_601n } },
        audiences: [CLOUD, server.issuer],
        scopes: ['orders.read', 'qscope:clients.read'],
        grantTypes: [GrantType.TOKEN_EXCHANGE],
      }
      const bearer = { bearer: server.admin.token }
      expect(await refused(server.call(registerClient, wrong, bearer))).toEqual(
        unsound([
          { field: 'config.access_token_ttl' },
          { field: 'audiences[1]' },
          { field: 'scopes[1]' },
          { field: 'config.allow_impersonation' },
        ]),
      )
      const nobody = server.call(registerClient, { ...sound, audiences: [] }, bearer)
      expect(await refused(nobody)).toEqual(unsound([{ field: 'audiences' }]))
    })

    it('is checked at every update, and the format can be read and changed', async () => {
      const { clientId } = await server.registerClient(sound)
      const bearer = { bearer: server.admin.token }
      const update = (client: object, path: string) =>
        server.call(updateClient, { client: { clientId, ...client }, updateMask: { paths: [path] } }, bearer)
      const longer = update({ config: { accessTokenTtl: { seconds: 7_200n } } }, 'config.access_token_ttl')
      expect(await refused(longer)).toEqual(unsound([{ field: 'config.access_token_ttl' }]))
      const { client } = await server.call(getClient, { clientId }, bearer)
      expect(client?.config?.accessTokenFormat).toBe(AccessTokenFormat.IDENTITY_JWT)
      const changed = await update({ config: {} }, 'config.access_token_format')
      expect(changed.client?.config?.accessTokenFormat).toBe(AccessTokenFormat.OPAQUE)
    })

    it('lets a client that impersonates exchange a token for an identity token without an actor', async () => {
      const exchanger = await grants.serviceClient({
        config: { ...IDENTITY, allowImpersonation: true },
        grantTypes: [GrantType.TOKEN_EXCHANGE],
        audiences: [CLOUD],
      })
      const { accessToken: subject } = await grants.mint(await grants.serviceClient())
      const { accessToken } = await grants.exchangeToken(exchanger, subject, { audiences: [CLOUD] })
      const { payload } = await relyOn(accessToken, CLOUD)
      expect(payload).not.toHaveProperty('act')
    })
  })
}

onEveryBackend('identity tokens', suite, { variables: HTTP_PORT })
