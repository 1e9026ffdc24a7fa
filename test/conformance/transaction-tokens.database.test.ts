import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { AccessTokenFormat, AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { RevocationStart, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { writeTransactionContext } from '../../src/rpc/convert/transaction-context.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { basic, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { ACCESS_TOKEN_TYPE, grantsOn, REDIRECT_URI } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

const TXN_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:txn_token'
const DOMAIN = 'trust-domain.example'
const { exchangeToken, introspectToken, mintToken, pollRevocations, revokeToken, revokeTokens, verifyToken } =
  TokenService.method

type Wanted = Readonly<{
  scopes?: string[]
  audiences?: string[]
  transactionContext?: { requestContext?: string; requestDetails?: string }
  subjectTokenType?: string
  actorToken?: string
  actorTokenType?: string
}>

// draft-ietf-oauth-transaction-tokens-10
const suite = (server: TestServer) => {
  const grants = grantsOn(server)
  const forms = formsOn(server)

  const workload = () =>
    server.registerClient({
      grantTypes: [GrantType.TOKEN_EXCHANGE, GrantType.CLIENT_CREDENTIALS],
      scopes: ['orders.read', 'orders.write'],
      audiences: [DOMAIN, 'https://elsewhere.example'],
    })
  type Workload = Awaited<ReturnType<typeof workload>>

  /** A user's token that an API gateway has received. */
  async function inbound(more: { audiences?: string[] } = {}) {
    const web = await grants.webClient({ audiences: [DOMAIN] })
    return { web, ...(await grants.exchangeCode(web, await grants.createCode(web, more))) }
  }

  async function request(by: Workload, subjectToken: string, { transactionContext = {}, ...wanted }: Wanted = {}) {
    const { token } = await server.call(exchangeToken, {
      client: by.client,
      subjectToken,
      subjectTokenType: ACCESS_TOKEN_TYPE,
      requestedTokenType: TXN_TOKEN_TYPE,
      scopes: ['orders.read'],
      audiences: [DOMAIN],
      transactionContext: writeTransactionContext(transactionContext),
      ...wanted,
    })
    if (token === undefined) throw new Error('the answer has no token')
    return token
  }

  const refused = async (by: Workload, subjectToken: string, wanted: Wanted) => {
    const refusal = await refusalOf(request(by, subjectToken, wanted))
    return [refusal.reason, ...refusal.violations]
  }

  /** Verifies a token like a workload of the trust domain, at the time of the server's clock. */
  async function validated(token: string, audience = DOMAIN) {
    const response = await fetch(`${server.httpUrl}/.well-known/jwks.json`)
    const keys = createLocalJWKSet((await response.json()) as Parameters<typeof createLocalJWKSet>[0])
    const currentDate = new Date(server.clock.now())
    return (await jwtVerify(token, keys, { audience, typ: 'txntoken+jwt', currentDate })).payload
  }

  describe('§9 Txn-Token Format', () => {
    it('§9.1 has the type txntoken+jwt and names its key', async () => {
      const { accessToken } = await request(await workload(), (await inbound()).accessToken)
      const { typ, kid, alg } = decodeProtectedHeader(accessToken)
      expect([typ, kid, alg]).toEqual(['txntoken+jwt', expect.any(String), 'ES256'])
    })

    it('§9.2 names the user, the scope, the trust domain and the requesting workload, and lasts 60 s at most', async () => {
      const gateway = await workload()
      const { accessToken: subject } = await inbound()
      const user = (await grants.claimsOf(subject))?.subject
      const issued = await request(gateway, subject)
      const claims = await validated(issued.accessToken)
      expect(claims).toEqual({
        iss: server.issuer,
        aud: DOMAIN,
        sub: user,
        scope: 'orders.read',
        req_wl: gateway.clientId,
        act: { sub: gateway.clientId },
        txn: expect.stringMatching(/^[0-9a-f-]{36}$/),
        jti: issued.tokenId,
        iat: expect.any(Number),
        exp: expect.any(Number),
        rvk: expect.arrayContaining([expect.stringMatching(/^[\w-]{22}$/)]),
      })
      const { iat = 0, exp = 0, txn } = claims
      expect(exp - iat).toBeGreaterThan(0)
      expect(exp - iat).toBeLessThanOrEqual(60)
      expect(txn).not.toBe(issued.tokenId)
    })

    it('§9.2 has a new transaction id for each request', async () => {
      const gateway = await workload()
      const { accessToken: subject } = await inbound()
      const ids = new Set<unknown>()
      for (let count = 0; count < 5; count += 1) {
        ids.add((await validated((await request(gateway, subject)).accessToken))['txn'])
      }
      expect(ids.size).toBe(5)
    })

    it('§6 expires no later than its subject token', async () => {
      const gateway = await workload()
      const { token } = await server.call(mintToken, { client: gateway.client, lifetime: { seconds: 10n } })
      const claims = await validated((await request(gateway, token?.accessToken ?? '')).accessToken)
      expect(claims.exp).toBeLessThanOrEqual(Number(token?.expireTime?.seconds ?? 0n))
    })

    it('§9.2.2 contains the request context and the request details of the workload', async () => {
      const transactionContext = {
        requestContext: '{"req_ip":"192.0.2.1","authn":"face"}',
        requestDetails: '{"action":"BUY","customer":{"level":"VIP"},"__proto__":{"admin":true},"n":[1,2.5,null]}',
      }
      const { accessToken } = await request(await workload(), (await inbound()).accessToken, { transactionContext })
      const { rctx, tctx } = await validated(accessToken)
      expect(rctx).toEqual({ req_ip: '192.0.2.1', authn: 'face' })
      expect(JSON.stringify(tctx)).toBe(JSON.stringify(JSON.parse(transactionContext.requestDetails)))
    })

    it('§9.2 is bound to no certificate or client, because workloads pass it on', async () => {
      const { accessToken } = await request(await workload(), (await inbound()).accessToken)
      expect(await validated(accessToken)).not.toHaveProperty('cnf')
    })

    it('§13.4 does not contain its subject token', async () => {
      const { accessToken: subject } = await inbound()
      const { accessToken } = await request(await workload(), subject)
      expect(JSON.stringify(await validated(accessToken))).not.toContain(subject)
    })
  })

  describe('§11 Requesting Txn-Tokens', () => {
    it('§11.1 requires a scope, and exactly one audience that the client is registered for', async () => {
      const gateway = await workload()
      const { accessToken } = await inbound()
      expect(await refused(gateway, accessToken, { scopes: [] })).toEqual(['OAUTH_INVALID_REQUEST', 'scopes'])
      const two = { audiences: [DOMAIN, 'https://elsewhere.example'] }
      expect(await refused(gateway, accessToken, two)).toEqual(['OAUTH_INVALID_REQUEST', 'audiences'])
      expect(await refused(gateway, accessToken, { audiences: [] })).toEqual(['OAUTH_INVALID_REQUEST', 'audiences'])
      expect(await refused(gateway, accessToken, { audiences: ['other.example'] })).toEqual(['OAUTH_INVALID_TARGET'])
    })

    it('§13.6 refuses a scope beyond that of the subject token or of the client', async () => {
      const gateway = await workload()
      const narrow = await grants.mint(await grants.serviceClient({ scopes: ['orders.read', 'stocks'] }), {
        scopes: ['orders.read', 'stocks'],
      })
      expect(await refused(gateway, narrow.accessToken, { scopes: ['orders.write'] })).toEqual(['OAUTH_INVALID_SCOPE'])
      expect(await refused(gateway, narrow.accessToken, { scopes: ['stocks'] })).toEqual(['OAUTH_INVALID_SCOPE'])
    })

    it('§11.2 accepts only active access tokens as subject tokens: no refresh token, other type or revoked token', async () => {
      const gateway = await workload()
      const { web, accessToken, refreshToken } = await inbound()
      expect(await refused(gateway, refreshToken, {})).toEqual(['OAUTH_INVALID_REQUEST', 'subject_token'])
      for (const type of ['refresh_token', 'self_signed', 'unsigned_json', 'jwt']) {
        const wanted = { subjectTokenType: `urn:ietf:params:oauth:token-type:${type}` }
        expect(await refused(gateway, accessToken, wanted)).toEqual(['OAUTH_INVALID_REQUEST', 'subject_token_type'])
      }
      await server.call(revokeToken, { client: web.client, token: accessToken })
      expect(await refused(gateway, accessToken, {})).toEqual(['OAUTH_INVALID_REQUEST', 'subject_token'])
    })

    it.each([
      ['not JSON', '{'],
      ['not an object', '["a"]'],
      ['an object with a duplicate name', '{"a":1,"a":2}'],
      ['followed by more text', '{} {}'],
      ['too large', `{"a":"${'x'.repeat(2_048)}"}`],
      ['nested too deeply', '['.repeat(2_000)],
    ])('§11.1 refuses a context that is %s', async (_what, text) => {
      const gateway = await workload()
      const { accessToken } = await inbound()
      for (const name of ['requestContext', 'requestDetails']) {
        const [reason, field] = await refused(gateway, accessToken, { transactionContext: { [name]: text } })
        expect([reason, field]).toEqual([
          'OAUTH_INVALID_REQUEST',
          expect.stringContaining('transaction_context.request_'),
        ])
      }
    })

    it('§11.1 refuses a context that is not a valid message', async () => {
      const asked = server.call(exchangeToken, {
        client: (await workload()).client,
        subjectToken: (await inbound()).accessToken,
        subjectTokenType: ACCESS_TOKEN_TYPE,
        requestedTokenType: TXN_TOKEN_TYPE,
        transactionContext: Buffer.from('0aff', 'hex'),
      })
      expect((await refusalOf(asked)).violations).toEqual(['transaction_context'])
    })

    it('§11.1 refuses a context if another token type is requested', async () => {
      const gateway = await workload()
      const { accessToken } = await inbound()
      const asked = server.call(exchangeToken, {
        client: gateway.client,
        subjectToken: accessToken,
        subjectTokenType: ACCESS_TOKEN_TYPE,
        transactionContext: writeTransactionContext({ requestContext: '{}' }),
      })
      expect((await refusalOf(asked)).violations).toEqual(['transaction_context'])
    })

    it('§11.3 refuses a client without the grant of token exchange', async () => {
      const other = await server.registerClient({ scopes: ['orders.read'], audiences: [DOMAIN] })
      expect(await refused(other, (await inbound()).accessToken, {})).toEqual(['OAUTH_UNAUTHORIZED_CLIENT'])
    })

    it('§11.4 answers with the token type N_A and without a refresh token, over gRPC and forms', async () => {
      const gateway = await workload()
      const { accessToken: subject } = await inbound()
      const issued = await request(gateway, subject)
      expect([issued.tokenType, issued.issuedTokenType, issued.refreshToken]).toEqual([
        'N_A',
        TXN_TOKEN_TYPE,
        undefined,
      ])
      const form = {
        grant_type: GRANT_TYPES.exchange,
        subject_token: subject,
        subject_token_type: ACCESS_TOKEN_TYPE,
        requested_token_type: TXN_TOKEN_TYPE,
        scope: 'orders.read',
        audience: DOMAIN,
        request_context: '{"req_ip":"192.0.2.1"}',
        request_details: '{"action":"BUY"}',
      }
      const { status, body, headers } = await forms.token(form, basic(gateway.clientId, gateway.clientSecret))
      expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
      expect(body).toEqual({
        access_token: expect.any(String),
        issued_token_type: TXN_TOKEN_TYPE,
        token_type: 'N_A',
        expires_in: expect.any(Number),
        scope: 'orders.read',
      })
      const claims = await validated(String(body['access_token']))
      expect([claims['rctx'], claims['tctx']]).toEqual([{ req_ip: '192.0.2.1' }, { action: 'BUY' }])
      const broken = await forms.token(
        { ...form, request_details: 'BUY' },
        basic(gateway.clientId, gateway.clientSecret),
      )
      expect([broken.status, broken.body['error']]).toEqual([400, 'invalid_request'])
    })
  })

  describe('§13 Security Considerations', () => {
    it('§13.2 audits the transaction id, without its context', async () => {
      const gateway = await workload()
      const transactionContext = { requestDetails: '{"iban":"DE89370400440532013000"}' }
      const { accessToken, tokenId } = await request(gateway, (await inbound()).accessToken, { transactionContext })
      const { txn } = await validated(accessToken)
      const events = await server.auditEvents({ clientId: gateway.clientId })
      const event = events.find((each) => each.tokenId === tokenId)
      expect([event?.eventType, event?.metadata]).toEqual([
        'token.exchanged',
        { issued_token_type: TXN_TOKEN_TYPE, txn, scopes: 'orders.read', audiences: DOMAIN },
      ])
      expect(JSON.stringify(event?.metadata)).not.toContain('DE89')
      expect(JSON.stringify(server.lines)).not.toContain('DE89')
    })

    it('a revocation of the user’s token is reported to verifiers by a key in the transaction token', async () => {
      const gateway = await workload()
      const { web, accessToken: subject } = await inbound()
      const { rvk } = await validated((await request(gateway, subject)).accessToken)
      const from = { case: 'start' as const, value: RevocationStart.NOW }
      const { nextCursor } = await server.call(pollRevocations, { client: gateway.client, from })
      await server.call(revokeToken, { client: web.client, token: subject })
      const cursor = { case: 'cursor' as const, value: nextCursor }
      const told = await server.call(pollRevocations, { client: gateway.client, from: cursor })
      const keys = told.revocations.map(({ key }) => Buffer.from(key).toString('base64url'))
      expect((rvk as string[]).filter((key) => keys.includes(key))).toHaveLength(1)
    })

    it('a revocation by token id is reported to verifiers by a key in the transaction token', async () => {
      const gateway = await workload()
      const { accessToken, tokenId } = await request(gateway, (await inbound()).accessToken)
      const { rvk } = await validated(accessToken)
      const from = { case: 'start' as const, value: RevocationStart.NOW }
      const { nextCursor } = await server.call(pollRevocations, { client: gateway.client, from })
      const target = { case: 'tokenId' as const, value: tokenId }
      await server.call(revokeTokens, { target, reason: 'test' }, { bearer: server.admin.token })
      const cursor = { case: 'cursor' as const, value: nextCursor }
      const told = await server.call(pollRevocations, { client: gateway.client, from: cursor })
      const keys = told.revocations.map(({ key }) => Buffer.from(key).toString('base64url'))
      expect((rvk as string[]).filter((key) => keys.includes(key))).toHaveLength(1)
    })
  })

  describe('§13.15 Txn-Token as a subject_token', () => {
    const REPLACING = { subjectTokenType: TXN_TOKEN_TYPE }
    const details = (requestDetails: string) => ({ transactionContext: { requestDetails } })

    it('is replaced with the same txn, sub, aud and contexts, and with both workloads in the chain of actors', async () => {
      const [gateway, orders] = [await workload(), await workload()]
      const { accessToken: subject } = await inbound()
      const first = await request(gateway, subject, {
        scopes: ['orders.read', 'orders.write'],
        transactionContext: { requestContext: '{"req_ip":"192.0.2.1"}', requestDetails: '{"action":"BUY"}' },
      })
      const second = await request(orders, first.accessToken, { ...REPLACING, ...details('{"price":7}') })
      const [before, after] = [await validated(first.accessToken), await validated(second.accessToken)]
      const { txn, sub, aud, rctx, exp = 0 } = before
      expect(after).toMatchObject({ txn, sub, aud, rctx, tctx: { action: 'BUY', price: 7 }, scope: 'orders.read' })
      expect([after['req_wl'], after['act']]).toEqual([
        orders.clientId,
        { sub: orders.clientId, act: { sub: gateway.clientId } },
      ])
      expect(after.exp).toBeLessThanOrEqual(exp)
      expect(after.jti).not.toBe(before.jti)
    })

    it('is not replaced with changed details, a wider scope or another audience', async () => {
      const [gateway, orders] = [await workload(), await workload()]
      const first = await request(gateway, (await inbound()).accessToken, details('{"action":"BUY"}'))
      const replace = (wanted: Wanted) => refused(orders, first.accessToken, { ...REPLACING, ...wanted })
      expect(await replace(details('{"action":"SELL"}'))).toEqual([
        'OAUTH_INVALID_REQUEST',
        'transaction_context.request_details',
      ])
      expect(await replace({ scopes: ['orders.write'] })).toEqual(['OAUTH_INVALID_SCOPE'])
      const elsewhere = { audiences: ['https://elsewhere.example'] }
      expect(await replace(elsewhere)).toEqual(['OAUTH_INVALID_REQUEST', 'audiences'])
    })

    it('keeps a workload in the chain of actors even if it may impersonate', async () => {
      const impersonator = await server.registerClient({
        grantTypes: [GrantType.TOKEN_EXCHANGE],
        scopes: ['orders.read'],
        audiences: [DOMAIN],
        config: { allowImpersonation: true },
      })
      const first = await request(impersonator, (await inbound()).accessToken)
      const orders = await workload()
      const second = await request(orders, first.accessToken, REPLACING)
      expect((await validated(second.accessToken))['act']).toEqual({
        sub: orders.clientId,
        act: { sub: impersonator.clientId },
      })
    })

    it('is refused if it is expired, if the user’s token is revoked, and for a workload of another domain', async () => {
      const [gateway, orders] = [await workload(), await workload()]
      const stranger = await grants.serviceClient({ audiences: ['https://elsewhere.example'] })
      const { web, accessToken: subject } = await inbound()
      const first = await request(gateway, subject)
      expect(await refused(stranger, first.accessToken, REPLACING)).toEqual(['OAUTH_INVALID_TARGET'])
      await server.call(revokeToken, { client: web.client, token: subject })
      const notAcceptable = ['OAUTH_INVALID_REQUEST', 'subject_token']
      expect(await refused(orders, first.accessToken, REPLACING)).toEqual(notAcceptable)
      const late = await request(gateway, (await inbound()).accessToken)
      server.clock.advance(61_000)
      expect(await refused(orders, late.accessToken, REPLACING)).toEqual(notAcceptable)
    })

    it('refuses other tokens declared as transaction tokens, and another requested type', async () => {
      const orders = await workload()
      const { accessToken, refreshToken } = await inbound()
      const jwt = await grants.mint(
        await grants.serviceClient({ config: { accessTokenFormat: AccessTokenFormat.JWT } }),
      )
      const first = await request(orders, accessToken)
      const [header = '', payload = ''] = first.accessToken.split('.')
      for (const token of [accessToken, refreshToken, jwt.accessToken, `${header}.${payload}.AAAA`, 'x']) {
        expect(await refused(orders, token, REPLACING)).toEqual(['OAUTH_INVALID_REQUEST', 'subject_token'])
      }
      const asked = grants.exchangeToken(orders, first.accessToken, REPLACING)
      expect((await refusalOf(asked)).violations).toEqual(['subject_token_type'])
    })

    it('is replaced four times at most', async () => {
      const workloads = await Promise.all(Array.from({ length: 6 }, workload))
      let { accessToken } = await request(workloads[0] ?? (await workload()), (await inbound()).accessToken)
      let count = 0
      for (const next of workloads.slice(1)) {
        const answer = await request(next, accessToken, REPLACING).catch(() => null)
        if (answer === null) break
        accessToken = answer.accessToken
        count += 1
      }
      expect(count).toBe(4)
    })
  })

  describe('§13.13 a transaction token is no access token', () => {
    it('is refused as a bearer token and by verification, is inactive in introspection, and is not revoked', async () => {
      const gateway = await workload()
      const { accessToken, tokenId } = await request(gateway, (await inbound()).accessToken)
      const asBearer = server.call(ClientService.method.listClients, {}, { bearer: accessToken })
      expect((await refusalOf(asBearer)).reason).toBe('OAUTH_INVALID_TOKEN')
      const verified = server.call(verifyToken, { client: gateway.client, token: accessToken })
      expect((await refusalOf(verified)).reason).toBe('OAUTH_INVALID_TOKEN')
      expect(await server.call(introspectToken, { client: gateway.client, token: accessToken })).toMatchObject({
        active: false,
      })
      // Nothing is found, so nothing is revoked.
      await server.call(revokeToken, { client: gateway.client, token: accessToken })
      const events = await server.auditEvents({ clientId: gateway.clientId })
      expect(events.filter((each) => each.tokenId === tokenId).map(({ eventType }) => eventType)).toEqual([
        'token.exchanged',
      ])
    })

    it('is refused as an actor token, and as the subject token of an exchange unless declared as a transaction token', async () => {
      const gateway = await workload()
      const { accessToken: subject } = await inbound()
      const { accessToken } = await request(gateway, subject)
      expect(await refused(gateway, accessToken, {})).toEqual(['OAUTH_INVALID_REQUEST', 'subject_token'])
      const actor = { actorToken: accessToken, actorTokenType: ACCESS_TOKEN_TYPE }
      expect(await refused(gateway, subject, actor)).toEqual(['OAUTH_INVALID_REQUEST', 'actor_token'])
      const typed = { actorToken: accessToken, actorTokenType: TXN_TOKEN_TYPE }
      expect(await refused(gateway, subject, typed)).toEqual(['OAUTH_INVALID_REQUEST', 'actor_token_type'])
      expect((await refusalOf(grants.exchangeToken(gateway, accessToken))).violations).toEqual(['subject_token'])
    })

    it('§13.12 does not authenticate a client', async () => {
      const { accessToken } = await request(await workload(), (await inbound()).accessToken)
      const { clientId } = await server.registerClient({
        authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
        jwks: await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).text(),
      })
      const method = { case: 'clientAssertion' as const, value: accessToken }
      const proved = server.call(mintToken, { client: { clientId, method } })
      expect((await refusalOf(proved)).reason).toBe('OAUTH_INVALID_CLIENT')
    })
  })
}

onEveryBackend('transaction tokens', suite, {
  variables: { ...HTTP_PORT, QSCOPE_EXPERIMENTAL: 'transaction-tokens' },
})

onEveryBackend(
  'without the experiment, a transaction token',
  (server) => {
    const grants = grantsOn(server)

    it('is refused like any unknown token type', async () => {
      const gateway = await grants.serviceClient({ audiences: [DOMAIN] })
      const { accessToken } = await grants.mint(gateway)
      const ask = (requestedTokenType: string, more = {}) => {
        const scopes = ['orders.read']
        return refusalOf(
          grants.exchangeToken(gateway, accessToken, { requestedTokenType, scopes, audiences: [DOMAIN], ...more }),
        )
      }
      const unknown = await ask('urn:ietf:params:oauth:token-type:saml2')
      const refusal = await ask(TXN_TOKEN_TYPE)
      expect(refusal.reason).toBe('OAUTH_INVALID_REQUEST')
      expect(refusal.details.badRequest).toEqual(unknown.details.badRequest)
      const withContext = await ask(TXN_TOKEN_TYPE, {
        transactionContext: writeTransactionContext({ requestContext: '{}' }),
      })
      expect(withContext.details.badRequest).toEqual(unknown.details.badRequest)
    })

    it('its parameters of forms are ignored like other unknown ones', async () => {
      const forms = formsOn(server)
      const gateway = await grants.serviceClient({ redirectUris: [REDIRECT_URI] })
      const { accessToken } = await grants.mint(gateway)
      const form = {
        grant_type: GRANT_TYPES.exchange,
        subject_token: accessToken,
        subject_token_type: ACCESS_TOKEN_TYPE,
        request_context: 'x',
      }
      const { status, body } = await forms.token(form, basic(gateway.clientId, gateway.clientSecret))
      expect([status, body['issued_token_type']]).toEqual([200, ACCESS_TOKEN_TYPE])
    })
  },
  { variables: HTTP_PORT },
)
