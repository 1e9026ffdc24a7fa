import { describe, expect, it } from 'vitest'
import { AccessTokenFormat, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { SubjectType, TokenUse } from '../../src/gen/qscope/v1/token_pb.ts'
import { CodeChallengeMethod, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'
import type { FreshDatabase } from '../setup/fresh-database.ts'
import { grantsOn, isSpan, pkcePair, REDIRECT_URI } from '../setup/grants.ts'
import { IMPOSSIBLE_TOKENS } from '../setup/impossible-tokens.ts'
import { partOf } from '../setup/jwt.ts'
import type { TestServer } from '../setup/server.ts'

const { mintToken, batchMintTokens, createAuthorizationCode, introspectToken, revokeToken, verifyToken } =
  TokenService.method
const invalidGrant = { status: 'FAILED_PRECONDITION', reason: 'OAUTH_INVALID_GRANT' }
const TOKEN_FORM = /^q[ar]t_[0-9A-Za-z]{49}$/

const ERROR_DOCS = 'https://docs.example/errors'

const suite = (server: TestServer, database: FreshDatabase) => {
  const grants = grantsOn(server)
  const service = (more = {}) =>
    server.registerClient({ scopes: ['orders.read', 'orders.write'], audiences: ['https://orders.example'], ...more })

  describe('§2.3 client authentication', () => {
    it('§2.3.1 accepts the secret in the request', async () => {
      const { client } = await service()
      const { token } = await server.call(mintToken, { client })
      expect(token?.accessToken).toMatch(/^qat_[0-9A-Za-z]{49}$/)
    })

    it('§2.3.1 accepts the secret as HTTP Basic', async () => {
      const { clientId, clientSecret } = await service()
      const { token } = await server.call(mintToken, {}, { basic: [clientId, clientSecret] })
      expect(token?.tokenType).toBe('Bearer')
    })

    it('§2.3 refuses more than one method in a call', async () => {
      const { client, clientId, clientSecret } = await service()
      const refused = await refusalOf(server.call(mintToken, { client }, { basic: [clientId, clientSecret] }))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_REQUEST' })
    })

    it('§2.3 refuses a bearer token if a client must authenticate', async () => {
      const refused = await refusalOf(server.call(mintToken, {}, { bearer: server.admin.token }))
      expect(refused).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'OAUTH_INVALID_CLIENT' })
    })

    it('§2.3.1 accepts only the registered method: a public client with a secret is refused', async () => {
      const { clientId } = await server.registerClient({ type: ClientType.PUBLIC, grantTypes: [] })
      const withSecret = { clientId, method: { case: 'clientSecret' as const, value: 'anything' } }
      const refused = await refusalOf(server.call(mintToken, { client: withSecret }))
      expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
    })

    it('§2.3 refuses an assertion of a client that is registered with a secret', async () => {
      const { clientId } = await service()
      const client = { clientId, method: { case: 'clientAssertion' as const, value: 'a.b.c' } }
      expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
    })
  })

  describe('§3.2 parameters of a request', () => {
    it('§3.1 parameters without a value are treated as omitted', async () => {
      const { client, clientId } = await service()
      const { token } = await server.call(mintToken, { client })
      const presented = { client, token: token?.accessToken ?? '' }
      const empty = { audience: '', presentedCertificateSha256: '' }
      expect((await server.call(verifyToken, { ...presented, ...empty })).claims?.clientId).toBe(clientId)
      expect((await server.call(introspectToken, { ...presented, tokenTypeHint: '' })).active).toBe(true)
      await server.call(revokeToken, { ...presented, tokenTypeHint: '' })
      const web = await grants.webClient({ config: { requirePkce: false } })
      const code = await grants.createCodeWithoutPkce(web)
      expect((await grants.exchangeCode(web, code, { codeVerifier: '' })).accessToken).toMatch(TOKEN_FORM)
    })

    it('§3.1 an empty secret or assertion is treated as omitted, and does not authenticate a confidential client', async () => {
      const { clientId } = await server.registerClient({
        type: ClientType.PUBLIC,
        grantTypes: [GrantType.DEVICE_CODE],
        scopes: ['films'],
      })
      const { startDeviceAuthorization } = DeviceService.method
      for (const method of ['clientSecret', 'clientAssertion'] as const) {
        const client = { clientId, method: { case: method, value: '' } }
        expect((await server.call(startDeviceAuthorization, { client })).userCode).toMatch(/-/)
      }
      const { clientId: confidential } = await service()
      const client = { clientId: confidential, method: { case: 'clientSecret' as const, value: '' } }
      expect((await refusalOf(server.call(mintToken, { client }))).reason).toBe('OAUTH_INVALID_CLIENT')
    })

    it('§3.1 a list with an empty item is refused instead of treated as omitted', async () => {
      const { client } = await service()
      expect((await refusalOf(server.call(mintToken, { client, scopes: [''] }))).reason).toBe('OAUTH_INVALID_SCOPE')
    })
  })

  describe('§4.4 client credentials grant', () => {
    it('§4.4.2 without requested scopes, issues all scopes of the client', async () => {
      const { client } = await service()
      const { token } = await server.call(mintToken, { client })
      expect(token?.scopes).toEqual(['orders.read', 'orders.write'])
      expect(token?.audiences).toEqual([])
    })

    it('§4.4.2 issues the requested scopes and audiences, and returns them', async () => {
      const { client } = await service()
      const asked = { scopes: ['orders.read', 'orders.read'], audiences: ['https://orders.example'] }
      const { token } = await server.call(mintToken, { client, ...asked })
      expect(token?.scopes).toEqual(['orders.read'])
      expect(token?.audiences).toEqual(['https://orders.example'])
    })

    it('§4.4.3 issues no refresh token', async () => {
      const { client } = await service()
      const { token } = await server.call(mintToken, { client })
      expect(token?.refreshToken).toBeUndefined()
    })

    it('§4.4 refuses a client that is not registered for the grant', async () => {
      const { client } = await service({ grantTypes: [] })
      const refused = await refusalOf(server.call(mintToken, { client }))
      expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_UNAUTHORIZED_CLIENT' })
      expect(refused.metadata).toEqual({ oauth_error: 'unauthorized_client', grant_type: 'client_credentials' })
    })

    it('§4.4 refuses to register a public client for client credentials', async () => {
      const wanted = { type: ClientType.PUBLIC, grantTypes: [GrantType.CLIENT_CREDENTIALS] }
      const refused = await refusalOf(
        server.call(ClientService.method.registerClient, wanted, { bearer: server.admin.token }),
      )
      expect(refused).toMatchObject({ reason: 'REGISTRATION_INVALID_CLIENT_METADATA', violations: ['grant_types'] })
    })
  })

  describe('§3.1.2 redirection endpoint', () => {
    it('§3.1.2 refuses to register a redirect URI that is relative or has a fragment', async () => {
      for (const uri of ['/callback', 'app.example/callback', 'https://app.example/#here', 'https://app.example/#']) {
        const refused = await refusalOf(grants.webClient({ redirectUris: [uri] }))
        expect(refused).toMatchObject({ reason: 'REGISTRATION_INVALID_REDIRECT_URI', violations: ['redirect_uris[0]'] })
      }
    })

    it('§3.1.2.1 refuses to register a redirect URI of http to another host', async () => {
      const refused = await refusalOf(grants.webClient({ redirectUris: ['http://app.example/callback'] }))
      expect(refused).toMatchObject({ reason: 'REGISTRATION_INVALID_REDIRECT_URI', violations: ['redirect_uris[0]'] })
    })

    it('§3.1.2.2 refuses to register a client of the code grant without a redirect URI', async () => {
      for (const register of [grants.webClient, grants.nativeClient]) {
        expect((await refusalOf(register({ redirectUris: [] }))).violations).toEqual(['redirect_uris'])
      }
    })

    it('§3.1.2.3 refuses to create a code for a redirect URI that is not registered', async () => {
      const client = await grants.webClient()
      const refused = await refusalOf(grants.createCode(client, { redirectUri: 'https://evil.example/callback' }))
      expect(refused).toMatchObject({
        status: 'INVALID_ARGUMENT',
        reason: 'OAUTH_INVALID_REQUEST',
        violations: ['redirect_uri'],
      })
    })

    it('§3.1.2.3 refuses to create a code without a redirect URI, even if only one is registered', async () => {
      const { clientId } = await grants.webClient()
      const refused = await refusalOf(
        server.call(createAuthorizationCode, { clientId, user: grants.newUser() }, grants.bearer()),
      )
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['redirect_uri'] })
    })
  })

  describe('§4.1 authorization code grant', () => {
    it('§4.1.1 accepts consent only from the front end: a token without qscope:consent is refused', async () => {
      const client = await grants.webClient()
      const { accessToken } = await grants.signIn(client)
      const request = { clientId: client.clientId, user: grants.newUser(), redirectUri: REDIRECT_URI }
      const refused = await refusalOf(server.call(createAuthorizationCode, request, { bearer: accessToken }))
      expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_INSUFFICIENT_SCOPE' })
      expect(refused.metadata['required_scopes']).toBe('qscope:consent')
      const own = await refusalOf(
        server.call(createAuthorizationCode, request, { basic: [client.clientId, client.clientSecret] }),
      )
      expect(own.reason).toBe('OAUTH_INVALID_TOKEN')
    })

    it('§4.1.1 without requested scopes, the consent covers all scopes of the client', async () => {
      const tokens = await grants.signIn(await grants.webClient())
      expect(tokens.scopes).toEqual(['orders.read', 'orders.write'])
    })

    it('§4.1.1 invalid_scope: names the scopes beyond the client’s', async () => {
      const client = await grants.webClient()
      const refused = await refusalOf(grants.createCode(client, { scopes: ['orders.read', 'payments.write'] }))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_SCOPE' })
      expect(refused.metadata['rejected_scopes']).toBe('payments.write')
    })

    it('§4.1.2 a code lives 60 s by default, and never longer than 10 min', async () => {
      const { clientId } = await grants.webClient({ config: { requirePkce: false } })
      const request = { clientId, user: grants.newUser(), redirectUri: REDIRECT_URI }
      const { code, expireTime } = await server.call(createAuthorizationCode, request, grants.bearer())
      expect(code).toMatch(/^qac_[0-9A-Za-z]{49}$/)
      const left = Number(expireTime?.seconds ?? 0n) - server.clock.now() / 1_000
      expect(left).toBeGreaterThan(55)
      expect(left).toBeLessThanOrEqual(60)
      const refused = await refusalOf(grants.webClient({ config: { authorizationCodeTtl: { seconds: 601n } } }))
      expect(refused.violations).toEqual(['config.authorization_code_ttl'])
    })

    it('§4.1.2 an expired code is invalid_grant', async () => {
      const client = await grants.webClient({ config: { authorizationCodeTtl: { seconds: 2n } } })
      const code = await grants.createCode(client)
      server.clock.advance(2_000)
      expect(await refusalOf(grants.exchangeCode(client, code))).toMatchObject(invalidGrant)
    })

    it('§4.1.2 a code used twice is invalid_grant, and its tokens are inactive in the very next call', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      const tokens = await grants.exchangeCode(client, code)
      expect(await refusalOf(grants.exchangeCode(client, code))).toMatchObject(invalidGrant)
      expect(await grants.isActive(tokens.accessToken)).toBe(false)
      expect(await grants.isActive(tokens.refreshToken)).toBe(false)
      expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
    })

    it('§4.1.2.1 unauthorized_client: the client is not registered for the grant, or disabled', async () => {
      const service = await server.registerClient({ redirectUris: [REDIRECT_URI] })
      const disabled = await grants.webClient()
      await server.call(ClientService.method.disableClient, { clientId: disabled.clientId }, grants.bearer())
      // A disabled client does not lack the grant type.
      for (const [client, lacking] of [
        [service, { grant_type: 'authorization_code' }],
        [disabled, {}],
      ] as const) {
        const refused = await refusalOf(grants.createCode(client))
        expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_UNAUTHORIZED_CLIENT' })
        expect(refused.metadata).toEqual({ oauth_error: 'unauthorized_client', ...lacking })
      }
    })

    it('§4.1.2.1 answers RESOURCE_NOT_FOUND to the front end for an unknown client or user', async () => {
      const client = await grants.webClient()
      const nobody = { id: { case: 'userId' as const, value: '01890000-0000-7000-8000-000000000000' } }
      for (const made of [
        grants.createCode({ clientId: 'nobody-here' }),
        grants.createCode(client, { user: nobody }),
      ]) {
        expect(await refusalOf(made)).toMatchObject({ status: 'NOT_FOUND', reason: 'RESOURCE_NOT_FOUND' })
      }
      const { clientId } = client
      const request = { clientId, redirectUri: REDIRECT_URI }
      const without = await refusalOf(server.call(createAuthorizationCode, request, grants.bearer()))
      expect(without).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['user'] })
    })

    it('§4.1.2 no code of a deactivated user is created or redeemed', async () => {
      const client = await grants.webClient()
      const user = grants.newUser()
      const code = await grants.createCode(client, { user })
      const found = await server.call(UserService.method.getUser, user, grants.bearer())
      await server.call(UserService.method.deactivateUser, { userId: found.user?.userId ?? '' }, grants.bearer())
      expect(await refusalOf(grants.createCode(client, { user }))).toMatchObject(invalidGrant)
      expect(await refusalOf(grants.exchangeCode(client, code))).toMatchObject(invalidGrant)
    })

    it('§4.1.3 issues tokens with the user as subject', async () => {
      const client = await grants.webClient()
      const { user } = await server.call(
        UserService.method.registerUser,
        { externalId: server.unique('user-') },
        grants.bearer(),
      )
      const userId = user?.userId ?? ''
      const tokens = await grants.signIn(client, { user: { id: { case: 'userId', value: userId } } })
      const common = {
        clientId: client.clientId,
        subject: userId,
        subjectType: SubjectType.USER,
        issuer: server.issuer,
      }
      expect(await grants.claimsOf(tokens.accessToken)).toMatchObject({ ...common, tokenUse: TokenUse.ACCESS })
      expect(await grants.claimsOf(tokens.refreshToken)).toMatchObject({ ...common, tokenUse: TokenUse.REFRESH })
      const [event] = await server.auditEvents({ clientId: client.clientId, eventTypes: ['authorization.granted'] })
      expect(event).toMatchObject({ userId, actor: server.admin.clientId })
    })

    it('§4.1.3 invalid_client: a wrong secret, after which the code can still be redeemed', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      const wrong = { ...client.client, method: { case: 'clientSecret' as const, value: 'wrong' } }
      expect((await refusalOf(grants.exchangeCode({ client: wrong }, code))).reason).toBe('OAUTH_INVALID_CLIENT')
      expect((await grants.exchangeCode(client, code)).accessToken).toMatch(TOKEN_FORM)
    })

    it('§4.1.3 invalid_grant: the code of another client, which can still redeem it', async () => {
      const [client, thief] = [await grants.webClient(), await grants.webClient()]
      const code = await grants.createCode(client)
      expect(await refusalOf(grants.exchangeCode(thief, code))).toMatchObject(invalidGrant)
      expect((await grants.exchangeCode(client, code)).accessToken).toMatch(TOKEN_FORM)
    })

    it('§4.1.3 invalid_grant: another redirect URI of the client, after which the code can still be redeemed', async () => {
      const client = await grants.webClient({ redirectUris: [REDIRECT_URI, 'https://app.example/other'] })
      const code = await grants.createCode(client)
      const redirectUri = 'https://app.example/other'
      expect(await refusalOf(grants.exchangeCode(client, { ...code, redirectUri }))).toMatchObject(invalidGrant)
      expect((await grants.exchangeCode(client, code)).accessToken).toMatch(TOKEN_FORM)
    })

    it('§4.1.3 invalid_request: a missing code or redirect URI', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      for (const [missing, field] of [
        [{ redirectUri: '' }, 'redirect_uri'],
        [{ code: '' }, 'code'],
      ] as const) {
        const refused = await refusalOf(grants.exchangeCode(client, { ...code, ...missing }))
        expect(refused).toMatchObject({
          status: 'INVALID_ARGUMENT',
          reason: 'OAUTH_INVALID_REQUEST',
          violations: [field],
        })
      }
    })

    it('§4.1.3 unauthorized_client: a client that has lost the grant', async () => {
      const client = await grants.webClient({ grantTypes: [GrantType.AUTHORIZATION_CODE] })
      const code = await grants.createCode(client)
      const update = { client: { clientId: client.clientId }, updateMask: { paths: ['grant_types'] } }
      await server.call(ClientService.method.updateClient, update, grants.bearer())
      expect((await refusalOf(grants.exchangeCode(client, code))).reason).toBe('OAUTH_UNAUTHORIZED_CLIENT')
    })
  })

  describe('§6 refreshing an access token', () => {
    it('§6 issues a new access token and a new refresh token of the same scope', async () => {
      const client = await grants.webClient()
      const first = await grants.signIn(client)
      const second = await grants.refresh(client, first.refreshToken)
      expect(second.scopes).toEqual(first.scopes)
      const { subject } = (await grants.claimsOf(first.accessToken)) ?? {}
      expect(await grants.claimsOf(second.refreshToken)).toMatchObject({ scopes: first.scopes, subject })
      expect(await grants.claimsOf(second.accessToken)).toMatchObject({ clientId: client.clientId, subject })
    })

    it('§6 requested scopes narrow only the access token: the new refresh token keeps the scope of the grant', async () => {
      const client = await grants.webClient()
      const first = await grants.signIn(client)
      const second = await grants.refresh(client, first.refreshToken, ['orders.read'])
      expect(second.scopes).toEqual(['orders.read'])
      expect((await grants.claimsOf(second.refreshToken))?.scopes).toEqual(['orders.read', 'orders.write'])
      expect((await grants.refresh(client, second.refreshToken)).scopes).toEqual(['orders.read', 'orders.write'])
    })

    it('§6 invalid_scope: a scope that was not granted, after which the refresh token is still valid', async () => {
      const client = await grants.webClient()
      const tokens = await grants.signIn(client, { scopes: ['orders.read'] })
      const refused = await refusalOf(grants.refresh(client, tokens.refreshToken, ['orders.read', 'orders.write']))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_SCOPE' })
      expect(refused.metadata['rejected_scopes']).toBe('orders.write')
      expect((await grants.refresh(client, tokens.refreshToken)).scopes).toEqual(['orders.read'])
    })

    it('§6 invalid_client: a wrong secret, after which the refresh token is still valid', async () => {
      const client = await grants.webClient()
      const { refreshToken } = await grants.signIn(client)
      const wrong = { ...client.client, method: { case: 'clientSecret' as const, value: 'wrong' } }
      expect((await refusalOf(grants.refresh({ client: wrong }, refreshToken))).reason).toBe('OAUTH_INVALID_CLIENT')
      expect((await grants.refresh(client, refreshToken)).accessToken).toMatch(TOKEN_FORM)
    })

    it('§6 invalid_grant: the refresh token of another client, which is still valid', async () => {
      const [client, thief] = [await grants.webClient(), await grants.webClient()]
      const { refreshToken } = await grants.signIn(client)
      expect(await refusalOf(grants.refresh(thief, refreshToken))).toMatchObject(invalidGrant)
      expect((await grants.refresh(client, refreshToken)).accessToken).toMatch(TOKEN_FORM)
    })

    it('§6 unauthorized_client: a client that has lost the grant', async () => {
      const client = await grants.webClient()
      const { refreshToken } = await grants.signIn(client)
      const grantTypes = [GrantType.AUTHORIZATION_CODE]
      const update = { client: { clientId: client.clientId, grantTypes }, updateMask: { paths: ['grant_types'] } }
      await server.call(ClientService.method.updateClient, update, grants.bearer())
      const refused = await refusalOf(grants.refresh(client, refreshToken))
      expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_UNAUTHORIZED_CLIENT' })
      expect(refused.metadata['grant_type']).toBe('refresh_token')
    })

    it('§6 a client that is not registered for the grant gets no refresh token', async () => {
      const client = await grants.webClient({ grantTypes: [GrantType.AUTHORIZATION_CODE] })
      expect((await grants.signIn(client)).refreshToken).toBe('')
      const refused = await refusalOf(server.registerClient({ grantTypes: [GrantType.REFRESH_TOKEN] }))
      expect(refused.violations).toEqual(['grant_types'])
    })
  })

  describe('§10 security', () => {
    it('§10.2 tokens for an audience are active only for their own client, not for another (RFC 7662 §2.2)', async () => {
      const audiences = [server.unique('https://api.example/')]
      const [client, other] = [await grants.webClient({ audiences }), await grants.webClient()]
      const tokens = await grants.signIn(client, { audiences })
      const look = async ({ client: caller }: typeof client, token: string) =>
        (await server.introspectAll(caller, [token]))[0]
      expect([await look(client, tokens.accessToken), await look(client, tokens.refreshToken)]).toEqual([true, true])
      expect([await look(other, tokens.accessToken), await look(other, tokens.refreshToken)]).toEqual([false, false])
    })

    it('§10.4 a refresh token without an audience is active only for its own client and with qscope:tokens.read', async () => {
      const [client, other] = [await grants.webClient(), await grants.webClient()]
      const { accessToken, refreshToken } = await grants.signIn(client)
      expect(await server.introspectAll(other.client, [accessToken, refreshToken])).toEqual([true, false])
      expect(await server.introspectAll(client.client, [accessToken, refreshToken])).toEqual([true, true])
      expect(await grants.isActive(refreshToken)).toBe(true)
    })

    it('§10.3 a refresh token is refused by verification', async () => {
      const client = await grants.webClient()
      const { refreshToken } = await grants.signIn(client)
      const refused = await refusalOf(
        server.call(TokenService.method.verifyToken, { client: client.client, token: refreshToken }),
      )
      expect(refused.reason).toBe('OAUTH_INVALID_TOKEN')
    })

    it('§10.5 an unknown or mistyped code and a token of another kind get the same answer, without a hint', async () => {
      const client = await grants.webClient()
      const tokens = await grants.signIn(client)
      const code = await grants.createCode(client)
      const mistyped = code.code.slice(0, -1) + (code.code.endsWith('0') ? '1' : '0')
      const refusals = [
        ...[mistyped, tokens.accessToken, tokens.refreshToken, server.unknownToken(), ...IMPOSSIBLE_TOKENS].map(
          (value) => refusalOf(grants.exchangeCode(client, { ...code, code: value })),
        ),
        ...[code.code, tokens.accessToken, server.unknownToken(), ...IMPOSSIBLE_TOKENS].map((value) =>
          refusalOf(grants.refresh(client, value)),
        ),
      ]
      const [first, ...others] = await Promise.all(refusals)
      expect(first).toMatchObject({ ...invalidGrant, metadata: { oauth_error: 'invalid_grant' }, violations: [] })
      for (const refused of others) {
        expect(refused).toMatchObject({ ...invalidGrant, message: first?.message, metadata: first?.metadata })
        expect(refused.violations).toEqual([])
      }
      expect((await grants.exchangeCode(client, code)).accessToken).toMatch(TOKEN_FORM)
    })

    it('§10.10 codes and tokens contain 256 random bits and never repeat', async () => {
      const client = await grants.webClient()
      const values = new Set<string>()
      for (let i = 0; i < 20; i += 1) {
        const code = await grants.createCode(client)
        const tokens = await grants.exchangeCode(client, code)
        for (const value of [code.code, tokens.accessToken, tokens.refreshToken]) {
          expect(value).toMatch(/^q(ac|at|rt)_[0-9A-Za-z]{49}$/)
          values.add(value.slice(4, 47))
        }
      }
      expect(values.size).toBe(60)
    })

    it('§10.10 neither the database nor the log contains a code, token or secret', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      const first = await grants.exchangeCode(client, code)
      const second = await grants.refresh(client, first.refreshToken)
      const { accessToken, refreshToken } = second
      const values = [
        client.clientSecret,
        code.code,
        code.verifier ?? '',
        first.accessToken,
        first.refreshToken,
        accessToken,
        refreshToken,
      ]
      const stored = await dump(database)
      expect(stored).toContain(client.clientId)
      expect(values.filter((value) => value === '' || stored.includes(value))).toEqual([])
      const log = JSON.stringify(server.lines)
      expect(log).toContain('ExchangeAuthorizationCode')
      expect(values.filter((value) => log.includes(value))).toEqual([])
    })
  })

  describe('§5.1 successful response', () => {
    it('§5.1 the answer to a code has type, lifetime and scope', async () => {
      const client = await grants.webClient({ config: { accessTokenTtl: { seconds: 90n } } })
      const code = await grants.createCode(client)
      const request = {
        client: client.client,
        code: code.code,
        redirectUri: code.redirectUri,
        codeVerifier: code.verifier ?? '',
      }
      const { token } = await server.call(TokenService.method.exchangeAuthorizationCode, request)
      expect(token).toMatchObject({ tokenType: 'Bearer', scopes: ['orders.read', 'orders.write'], audiences: [] })
      expect(Number(token?.expiresIn?.seconds)).toSatisfy(isSpan(90))
      expect(token?.issuedTokenType).toBeUndefined()
    })

    it('the answer to client credentials has type, lifetime and time of expiry', async () => {
      const { client } = await service()
      const { token } = await server.call(mintToken, { client, lifetime: { seconds: 90n } })
      expect(token?.tokenType).toBe('Bearer')
      expect(Number(token?.expiresIn?.seconds)).toSatisfy(isSpan(90))
      const now = BigInt(Math.floor(server.clock.now() / 1_000))
      expect(token?.expireTime?.seconds).toBeGreaterThanOrEqual(now + 89n)
      expect(token?.expireTime?.seconds).toBeLessThanOrEqual(now + 90n)
    })

    it('a token lasts at most the lifetime that its client is registered with', async () => {
      const { client } = await service({ config: { accessTokenTtl: { seconds: 60n } } })
      for (const more of [{}, { lifetime: { seconds: 60n } }]) {
        const { token } = await server.call(mintToken, { client, ...more })
        expect(Number(token?.expiresIn?.seconds)).toSatisfy(isSpan(60))
      }
      const refused = await refusalOf(server.call(mintToken, { client, lifetime: { seconds: 61n } }))
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['lifetime'] })
    })

    /** Puts the server's clock a part of a second past a whole one. */
    const toPartOfSecond = (ms: number) => server.clock.advance((ms - (server.clock.now() % 1_000) + 1_000) % 1_000)

    it.each(['opaque', 'jwt'] as const)(
      '§5.1 expires_in is at most the remaining lifetime, and the token (%s) expires at exactly its expire_time',
      async (format) => {
        const accessTokenFormat = format === 'jwt' ? AccessTokenFormat.JWT : AccessTokenFormat.OPAQUE
        const { client } = await service({ config: { accessTokenTtl: { seconds: 90n }, accessTokenFormat } })
        await server.call(mintToken, { client })
        toPartOfSecond(200)
        const before = server.clock.now()
        const { token } = await server.call(mintToken, { client })
        const after = server.clock.now()
        const value = token?.accessToken ?? ''
        const end = Number(token?.expireTime?.seconds) * 1_000
        const claims = await grants.claimsOf(value)
        expect([token?.expireTime?.nanos, claims?.expireTime]).toEqual([0, token?.expireTime])
        if (format === 'jwt') expect(Number(partOf(value, 1)['exp']) * 1_000).toBe(end)
        expect(end).toBeLessThanOrEqual(after + 90_000)
        expect(end).toBeGreaterThan(before + 89_000)
        expect(token?.expiresIn?.nanos).toBe(0)
        expect(Number(token?.expiresIn?.seconds) * 1_000).toBeLessThanOrEqual(end - before)
        server.clock.advance(end - server.clock.now())
        expect(await grants.isActive(value)).toBe(false)
        const verified = server.call(TokenService.method.verifyToken, { token: value }, grants.bearer())
        expect((await refusalOf(verified)).reason).toBe('OAUTH_INVALID_TOKEN')
      },
    )

    it('§5.1 a code and a refresh token expire at exactly their expire_time', async () => {
      const config = { authorizationCodeTtl: { seconds: 30n }, refreshTokenTtl: { seconds: 40n } }
      const client = await grants.webClient({ config })
      const { verifier, challenge } = pkcePair()
      toPartOfSecond(200)
      const request = {
        clientId: client.clientId,
        user: grants.newUser(),
        redirectUri: REDIRECT_URI,
        codeChallenge: challenge,
        codeChallengeMethod: CodeChallengeMethod.S256,
      }
      const created = await server.call(createAuthorizationCode, request, grants.bearer())
      const tokens = await grants.signIn(client)
      expect(created.expireTime?.nanos).toBe(0)
      server.clock.advance(Number(created.expireTime?.seconds) * 1_000 - server.clock.now())
      const code = { code: created.code, verifier, redirectUri: REDIRECT_URI }
      expect(await refusalOf(grants.exchangeCode(client, code))).toMatchObject(invalidGrant)
      const told = (await grants.claimsOf(tokens.refreshToken))?.expireTime
      expect(told?.nanos).toBe(0)
      server.clock.advance(Number(told?.seconds) * 1_000 - server.clock.now())
      expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
    })

    it('§5.1 a token with a lifetime of one second is not expired when it is issued', async () => {
      const { client } = await service()
      for (const part of [0, 250, 500, 750, 980]) {
        toPartOfSecond(part)
        const before = server.clock.now()
        const { token } = await server.call(mintToken, { client, lifetime: { seconds: 1n } })
        const left = Number(token?.expiresIn?.seconds) * 1_000 + (token?.expiresIn?.nanos ?? 0) / 1e6
        expect(left).toBeGreaterThan(0)
        expect(Number(token?.expireTime?.seconds) * 1_000 - left).toBeGreaterThanOrEqual(before)
      }
    })
  })

  describe('§5.2 error response', () => {
    it('invalid_client: an unknown id, a wrong secret and a disabled client get the same answer', async () => {
      const { client, clientId } = await service()
      const other = await service()
      await server.call(
        ClientService.method.disableClient,
        { clientId: other.clientId },
        { bearer: server.admin.token },
      )
      const answers = await Promise.all([
        refusalOf(server.call(mintToken, { client: { ...client, clientId: 'nobody-here' } })),
        refusalOf(server.call(mintToken, { client: { clientId, method: { case: 'clientSecret', value: 'wrong' } } })),
        refusalOf(server.call(mintToken, { client: other.client })),
      ])
      for (const refused of answers) {
        expect(refused).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'OAUTH_INVALID_CLIENT' })
        expect(refused.message).toBe(answers[0]?.message)
        expect(refused.metadata).toEqual({ oauth_error: 'invalid_client' })
        expect(refused.violations).toEqual([])
      }
    })

    it('invalid_client: no credentials, even if the request is invalid too', async () => {
      const refused = await refusalOf(server.call(mintToken, { lifetime: { seconds: -1n } }))
      expect(refused).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'OAUTH_INVALID_CLIENT' })
    })

    it('invalid_client: a malformed authorization header', async () => {
      for (const authorization of ['Basic !!!', 'Basic', 'Digest abc', 'Basic bm9jb2xvbg==']) {
        const refused = await refusalOf(server.call(mintToken, {}, { metadata: { authorization } }))
        expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
      }
    })

    it('invalid_request: names the malformed field', async () => {
      const { client } = await service()
      const refused = await refusalOf(server.call(mintToken, { client, lifetime: { seconds: 0n } }))
      expect(refused).toMatchObject({
        status: 'INVALID_ARGUMENT',
        reason: 'OAUTH_INVALID_REQUEST',
        violations: ['lifetime'],
      })
      const missing = await refusalOf(server.call(mintToken, { client: { clientId: '' } }))
      expect(missing).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['client.client_id'] })
    })

    it('invalid_scope: names the scopes beyond the client’s', async () => {
      const { client } = await service()
      const scopes = ['orders.read', 'payments.write', 'qscope:clients.write']
      const refused = await refusalOf(server.call(mintToken, { client, scopes }))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_SCOPE' })
      expect(refused.metadata['rejected_scopes']).toBe('payments.write qscope:clients.write')
    })

    it('invalid_scope: a malformed scope (§3.3)', async () => {
      const { client } = await service()
      for (const scope of ['', 'orders read', 'orders"read', 'ördérs']) {
        const refused = await refusalOf(server.call(mintToken, { client, scopes: [scope] }))
        expect(refused.reason).toBe('OAUTH_INVALID_SCOPE')
      }
    })

    it('invalid_target (RFC 8707 §2): names the audiences that are not the client’s', async () => {
      const { client } = await service()
      const audiences = ['https://orders.example', 'https://other.example']
      const refused = await refusalOf(server.call(mintToken, { client, audiences }))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_TARGET' })
      expect(refused.metadata['rejected_audiences']).toBe('https://other.example')
    })

    it('carries the ray id, the domain, and a link to the configured page of errors', async () => {
      const refused = await refusalOf(server.call(mintToken, {}, { metadata: { 'x-ray-id': 'my-ray.1' } }))
      expect(refused.rayId).toBe('my-ray.1')
      expect(refused.details.info?.domain).toBe('qscope')
      expect(refused.details.help?.links[0]?.url).toBe(`${ERROR_DOCS}#oauth-invalid-client`)
    })
  })

  describe('batches', () => {
    it('§4.4 processes each request of a batch independently, and answers in order', async () => {
      const { client } = await service()
      const { results } = await server.call(batchMintTokens, {
        client,
        requests: [{ scopes: ['orders.read'] }, { scopes: ['nope'] }, {}, { lifetime: { seconds: 86_400n } }],
      })
      expect(results.map(({ result }) => result.case)).toEqual(['token', 'status', 'token', 'status'])
      const [first, second] = results
      expect(first?.result.case === 'token' && first.result.value.scopes).toEqual(['orders.read'])
      expect(second?.result.case === 'status' && server.decode(second.result.value).info?.reason).toBe(
        'OAUTH_INVALID_SCOPE',
      )
    })

    it('§4.4 stores and audits every token of a batch', async () => {
      const { client, clientId } = await service()
      const { results } = await server.call(batchMintTokens, {
        client,
        requests: Array.from({ length: 100 }, () => ({})),
      })
      const tokens = results.map(({ result }) => (result.case === 'token' ? result.value : null))
      expect(new Set(tokens.map((token) => token?.tokenId)).size).toBe(100)
      const active = await server.introspectAll(
        client,
        tokens.map((token) => token?.accessToken ?? ''),
      )
      expect(active.every(Boolean)).toBe(true)
      const events = await server.auditEvents({ clientId, eventTypes: ['token.issued'] })
      expect(new Set(events.map(({ tokenId }) => tokenId))).toEqual(new Set(tokens.map((token) => token?.tokenId)))
    })

    it('refuses an empty batch and one of more than 100', async () => {
      const { client } = await service()
      for (const count of [0, 101]) {
        const requests = Array.from({ length: count }, () => ({}))
        const refused = await refusalOf(server.call(batchMintTokens, { client, requests }))
        expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['requests'] })
      }
    })
  })
}

onEveryBackend('RFC 6749', suite, { variables: { QSCOPE_ERROR_DOCS_URL: ERROR_DOCS } })
