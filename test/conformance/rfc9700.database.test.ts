import { describe, expect, it } from 'vitest'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'
import { grantsOn, type Tokens } from '../setup/grants.ts'

const { revokeToken, revokeTokens, listTokens } = TokenService.method
const { disableClient, enableClient, updateClient } = ClientService.method
const invalidGrant = { status: 'FAILED_PRECONDITION', reason: 'OAUTH_INVALID_GRANT' }
const seconds = (count: number) => ({ seconds: BigInt(count) })

onEveryBackend('RFC 9700', (server, database) => {
  const grants = grantsOn(server)
  const signedIn = async (more: Parameters<typeof grants.webClient>[0] = {}) => {
    const client = await grants.webClient(more)
    return { client, tokens: await grants.signIn(client) }
  }
  const areActive = (...tokens: string[]) => Promise.all(tokens.map((token) => grants.isActive(token)))
  const reuses = (clientId: string) => server.auditEvents({ clientId, eventTypes: ['refresh_token.reused'] })
  const grantIdOf = async (clientId: string) => {
    const { tokens } = await server.call(listTokens, { clientId }, grants.bearer())
    return tokens[0]?.grantId ?? ''
  }

  describe('§2.1 redirection', () => {
    const create = (client: { clientId: string }, redirectUri: string) => grants.createCode(client, { redirectUri })

    it('§2.1 compares redirect URIs as exact strings', async () => {
      const client = await grants.webClient({ redirectUris: ['https://app.example/callback'] })
      for (const redirectUri of [
        'https://app.example/callback/',
        'https://app.example/callback?x=1',
        'https://app.example/callback#',
        'https://app.example/Callback',
        'https://app.example:443/callback',
        'https://APP.example/callback',
        'https://app.example/%63allback',
        'https://app.example/',
        'http://app.example/callback',
        'https://evil.example/callback',
      ]) {
        const refused = await refusalOf(create(client, redirectUri))
        expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['redirect_uri'] })
      }
    })

    it('§4.1.3 lets the port differ for loopback addresses only (RFC 8252 §7.3)', async () => {
      const redirectUris = ['http://127.0.0.1/callback', 'http://[::1]:80/callback', 'http://localhost:8080/callback']
      const client = await grants.nativeClient({ redirectUris })
      for (const redirectUri of ['http://127.0.0.1:51004/callback', 'http://[::1]:51004/callback']) {
        const code = await create(client, redirectUri)
        expect((await grants.exchangeCode(client, code)).accessToken).not.toBe('')
      }
      for (const redirectUri of [
        'http://localhost:8081/callback',
        'http://127.0.0.1:51004/other',
        'http://127.0.0.2/callback',
      ]) {
        expect((await refusalOf(create(client, redirectUri))).violations).toEqual(['redirect_uri'])
      }
    })

    it('§4.1.3 redeems a code only with exactly its redirect URI, including the port', async () => {
      const client = await grants.nativeClient({ redirectUris: ['http://127.0.0.1/callback'] })
      const code = await create(client, 'http://127.0.0.1:51004/callback')
      for (const redirectUri of ['http://127.0.0.1:51005/callback', 'http://127.0.0.1/callback']) {
        expect(await refusalOf(grants.exchangeCode(client, { ...code, redirectUri }))).toMatchObject(invalidGrant)
      }
      expect((await grants.exchangeCode(client, code)).accessToken).not.toBe('')
    })
  })

  describe('§2.1.1 authorization code', () => {
    it('§2.1.1 a verifier for a code without a challenge is refused: a downgrade (§4.8.2)', async () => {
      const client = await grants.webClient({ config: { requirePkce: false } })
      const code = await grants.createCodeWithoutPkce(client)
      const verifier = 'v'.repeat(43)
      expect(await refusalOf(grants.exchangeCode(client, { ...code, verifier }))).toMatchObject(invalidGrant)
      expect((await grants.exchangeCode(client, code)).accessToken).not.toBe('')
    })

    it('§2.1.1 refuses to register a public client without PKCE', async () => {
      const refused = await refusalOf(grants.nativeClient({ config: { requirePkce: false } }))
      expect(refused).toMatchObject({ violations: ['config.require_pkce'] })
    })
  })

  describe('§2.1.2, §2.4 what is not offered', () => {
    it('§2.1.2 there is no implicit grant, and no password grant (§2.4)', () => {
      expect(Object.keys(GrantType).filter((name) => Number.isNaN(Number(name)))).toEqual([
        'UNSPECIFIED',
        'AUTHORIZATION_CODE',
        'CLIENT_CREDENTIALS',
        'REFRESH_TOKEN',
        'DEVICE_CODE',
        'TOKEN_EXCHANGE',
        'JWT_BEARER',
      ])
      expect(Object.keys(TokenService.method).filter((name) => /password|implicit/i.test(name))).toEqual([])
    })

    it('§2.4 refuses to register a client for an unknown grant type', async () => {
      const refused = await refusalOf(server.registerClient({ grantTypes: [7 as GrantType] }))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', violations: ['grant_types[0]'] })
    })
  })

  describe('§2.3 privilege restriction', () => {
    it('§2.3 a token has the audiences of the consent, after a refresh too', async () => {
      const audiences = ['https://orders.example', 'https://stock.example']
      const client = await grants.webClient({ audiences })
      const first = await grants.signIn(client, { audiences: ['https://orders.example'] })
      const second = await grants.refresh(client, first.refreshToken)
      expect([first.audiences, second.audiences]).toEqual([['https://orders.example'], ['https://orders.example']])
    })

    it('§2.3 invalid_target: an audience that is not the client’s', async () => {
      const client = await grants.webClient({ audiences: ['https://orders.example'] })
      const refused = await refusalOf(grants.createCode(client, { audiences: ['https://other.example'] }))
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_TARGET' })
      expect(refused.metadata['rejected_audiences']).toBe('https://other.example')
    })

    it('§2.3 a refresh omits scopes that the client has lost', async () => {
      const { client, tokens } = await signedIn()
      const update = {
        client: { clientId: client.clientId, scopes: ['orders.read'] },
        updateMask: { paths: ['scopes'] },
      }
      await server.call(updateClient, update, grants.bearer())
      expect((await grants.refresh(client, tokens.refreshToken)).scopes).toEqual(['orders.read'])
    })

    it('§2.3 invalid_scope: in every grant, if the client has lost all consented scopes', async () => {
      const grantTypes = [GrantType.AUTHORIZATION_CODE, GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN]
      const client = await grants.webClient({ grantTypes })
      const tokens = await grants.signIn(client)
      const code = await grants.createCode(client)
      const device = await grants.startDevice(client)
      await grants.approveDevice(device)
      const register = (scopes: string[]) =>
        server.call(
          updateClient,
          { client: { clientId: client.clientId, scopes }, updateMask: { paths: ['scopes'] } },
          grants.bearer(),
        )
      for (const scopes of [[], ['stock.read']]) {
        await register(scopes)
        const attempts = [
          grants.refresh(client, tokens.refreshToken),
          grants.exchangeCode(client, code),
          grants.redeemDevice(client, device),
        ]
        for (const refused of await Promise.all(attempts.map((attempt) => refusalOf(attempt)))) {
          expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_SCOPE' })
          expect(refused.metadata['rejected_scopes']).toBe('orders.read orders.write')
        }
      }
      // Nothing was spent or revoked by that.
      await register(['orders.read'])
      const given = [
        await grants.refresh(client, tokens.refreshToken),
        await grants.exchangeCode(client, code),
        await grants.redeemDevice(client, device),
      ]
      expect(given.map(({ scopes }) => scopes)).toEqual([['orders.read'], ['orders.read'], ['orders.read']])
    })

    it('§2.3 a grant without scopes can be refreshed', async () => {
      const client = await grants.webClient({ scopes: [] })
      const tokens = await grants.signIn(client)
      expect((await grants.refresh(client, tokens.refreshToken)).scopes).toEqual([])
    })

    describe('§2.3 an audience of a resource server', () => {
      const given = async () => {
        const [audience, other] = [server.unique('https://orders.example/'), server.unique('https://stock.example/')]
        const owner = await grants.serviceClient({ resourceAudiences: [audience] })
        const audiences = [audience, owner.clientId, other]
        const grantTypes = [
          GrantType.AUTHORIZATION_CODE,
          GrantType.DEVICE_CODE,
          GrantType.REFRESH_TOKEN,
          GrantType.CLIENT_CREDENTIALS,
          GrantType.TOKEN_EXCHANGE,
        ]
        const client = await grants.webClient({ grantTypes, audiences })
        const subject = await grants.mint(client)
        const tokens = await grants.signIn(client, { audiences: [audience] })
        const code = await grants.createCode(client, { audiences: [audience] })
        const device = await grants.startDevice(client, { audiences: [audience] })
        await grants.approveDevice(device)
        const both = await grants.signIn(client, { audiences: [audience, other] })
        const forOwner = await grants.mint(client, { audiences: [owner.clientId] })
        return { audience, other, owner, client, subject, tokens, code, device, both, forOwner }
      }
      const closings = {
        'is disabled': (clientId: string) => server.call(disableClient, { clientId }, grants.bearer()),
        'was deleted': (clientId: string) =>
          server.call(ClientService.method.deleteClient, { clientId }, grants.bearer()),
      }

      it.each(Object.entries(closings))(
        '§2.3 an audience whose resource server %s is invalid_target in every grant',
        async (_how, close) => {
          const { audience, other, owner, client, subject, tokens, code, device, both, forOwner } = await given()
          await close(owner.clientId)
          const named = owner.clientId
          const attempts: readonly (readonly [string, Promise<unknown>])[] = [
            [audience, grants.mint(client, { audiences: [audience] })],
            [named, grants.mint(client, { audiences: [named] })],
            [audience, grants.mint(client, { audiences: [other, audience] })],
            [audience, grants.createCode(client, { audiences: [audience] })],
            [audience, grants.startDevice(client, { audiences: [audience] })],
            [audience, grants.exchangeToken(client, subject.accessToken, { audiences: [audience] })],
            [named, grants.exchangeToken(client, forOwner.accessToken)],
            [audience, grants.exchangeCode(client, code)],
            [audience, grants.refresh(client, tokens.refreshToken)],
            [audience, grants.redeemDevice(client, device)],
          ]
          const refusals = await Promise.all(attempts.map(([, attempt]) => refusalOf(attempt)))
          for (const [index, refused] of refusals.entries()) {
            const rejected = attempts[index]?.[0]
            expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_TARGET' })
            expect(refused.metadata['rejected_audiences']).toBe(rejected)
          }
          const requests = [{ audiences: [audience] }, { audiences: [other] }, {}]
          const { results } = await server.call(TokenService.method.batchMintTokens, {
            client: client.client,
            requests,
          })
          expect(results.map(({ result }) => result.case)).toEqual(['status', 'token', 'token'])
          expect((await grants.refresh(client, both.refreshToken)).audiences).toEqual([other])
        },
      )

      it('§2.3 an audience is accepted again if its resource server is enabled or it is registered by another', async () => {
        const one = await given()
        await server.call(disableClient, { clientId: one.owner.clientId }, grants.bearer())
        await refusalOf(grants.refresh(one.client, one.tokens.refreshToken))
        await server.call(enableClient, { clientId: one.owner.clientId }, grants.bearer())
        expect((await grants.refresh(one.client, one.tokens.refreshToken)).audiences).toEqual([one.audience])
        const { client, audience, owner } = await given()
        await server.call(ClientService.method.deleteClient, { clientId: owner.clientId }, grants.bearer())
        await refusalOf(grants.mint(client, { audiences: [audience] }))
        await grants.serviceClient({ resourceAudiences: [audience] })
        expect((await grants.mint(client, { audiences: [audience] })).audiences).toEqual([audience])
      })
    })

    it('§2.3 invalid_target: a grant for an audience that the client has lost', async () => {
      const client = await grants.webClient({ audiences: ['https://orders.example'] })
      const tokens = await grants.signIn(client, { audiences: ['https://orders.example'] })
      const code = await grants.createCode(client, { audiences: ['https://orders.example'] })
      const update = { client: { clientId: client.clientId }, updateMask: { paths: ['audiences'] } }
      await server.call(updateClient, update, grants.bearer())
      const invalidTarget = { status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_TARGET' }
      expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidTarget)
      expect(await refusalOf(grants.exchangeCode(client, code))).toMatchObject(invalidTarget)
    })

    it('§2.3 a user cannot delegate management permissions', async () => {
      const client = await grants.webClient({ scopes: ['orders.read', 'qscope:clients.read'] })
      const tokens = await grants.signIn(client)
      expect(tokens.scopes).toEqual(['orders.read'])
      expect((await grants.refresh(client, tokens.refreshToken)).scopes).toEqual(['orders.read'])
      const refused = await refusalOf(grants.createCode(client, { scopes: ['orders.read', 'qscope:clients.read'] }))
      expect(refused.reason).toBe('OAUTH_INVALID_SCOPE')
      expect(refused.metadata['rejected_scopes']).toBe('qscope:clients.read')
    })
  })

  describe('§4.5 a code that is used again', () => {
    it('§4.5 revokes all tokens of the grant, including refreshed ones, in the very next call', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      const first = await grants.exchangeCode(client, code)
      const second = await grants.refresh(client, first.refreshToken)
      expect(await refusalOf(grants.exchangeCode(client, code))).toMatchObject(invalidGrant)
      const all = [first.accessToken, second.accessToken, second.refreshToken]
      expect(await areActive(...all)).toEqual([false, false, false])
      expect(await refusalOf(grants.refresh(client, second.refreshToken))).toMatchObject(invalidGrant)
      const events = await server.auditEvents({ clientId: client.clientId, eventTypes: ['authorization_code.reused'] })
      expect(events).toHaveLength(1)
      expect(events[0]?.grantId).toBeDefined()
    })

    it('§4.5 revokes them even if the code has expired', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      const tokens = await grants.exchangeCode(client, code)
      server.clock.advance(61_000)
      expect(await refusalOf(grants.exchangeCode(client, code))).toMatchObject(invalidGrant)
      expect(await areActive(tokens.accessToken, tokens.refreshToken)).toEqual([false, false])
    })

    it('§4.5 revokes nothing if another client presents the redeemed code', async () => {
      const [client, thief] = [await grants.webClient(), await grants.webClient()]
      const code = await grants.createCode(client)
      const tokens = await grants.exchangeCode(client, code)
      expect(await refusalOf(grants.exchangeCode(thief, code))).toMatchObject(invalidGrant)
      expect(await areActive(tokens.accessToken, tokens.refreshToken)).toEqual([true, true])
    })
  })

  describe('§4.9 resource servers', () => {
    const apis = async () => {
      const [api, other] = [server.unique('https://api.example/'), server.unique('https://other.example/')]
      const web = await grants.webClient({ audiences: [api, other] })
      const resource = (audience: string) => grants.serviceClient({ resourceAudiences: [audience], audiences: [other] })
      const [mine, others] = [await resource(api), await resource(other)]
      return { mine, others, token: (await grants.signIn(web, { audiences: [api] })).accessToken }
    }
    const invalidToken = { status: 'UNAUTHENTICATED', reason: 'OAUTH_INVALID_TOKEN', metadata: { token: 'presented' } }

    it('§4.9.1 a resource server accepts tokens for itself and refuses those for another', async () => {
      const { mine, others, token } = await apis()
      const verify = ({ client }: typeof mine) => server.call(TokenService.method.verifyToken, { client, token })
      expect((await verify(mine)).claims?.scopes).toContain('orders.read')
      expect(await refusalOf(verify(others))).toMatchObject(invalidToken)
    })

    it('§4.9.2 a compromised resource server cannot introspect, exchange or revoke tokens for another', async () => {
      const { others, token } = await apis()
      const { client } = others
      expect((await server.call(TokenService.method.introspectToken, { client, token })).active).toBe(false)
      expect((await refusalOf(grants.exchangeToken(others, token))).reason).toBe('OAUTH_INVALID_REQUEST')
      expect(await refusalOf(server.call(revokeToken, { client, token }))).toMatchObject(invalidGrant)
      expect(await grants.isActive(token)).toBe(true)
    })
  })

  describe('§4.14 refresh tokens', () => {
    it('§4.14.2 every refresh issues a new refresh token and spends the old one', async () => {
      const { client, tokens } = await signedIn()
      const next = await grants.refresh(client, tokens.refreshToken)
      expect(next.refreshToken).not.toBe(tokens.refreshToken)
      expect(next.accessToken).not.toBe(tokens.accessToken)
      expect(await areActive(tokens.refreshToken, next.refreshToken, tokens.accessToken)).toEqual([false, true, true])
    })

    it('§4.14.2 refresh tokens of public clients are rotated', async () => {
      const client = await grants.nativeClient()
      const first = await grants.signIn(client)
      const second = await grants.refresh(client, first.refreshToken)
      server.clock.advance(11_000)
      expect(await refusalOf(grants.refresh(client, first.refreshToken))).toMatchObject(invalidGrant)
      expect(await areActive(second.accessToken, second.refreshToken)).toEqual([false, false])
    })

    it('§4.14.2 a lost answer: repeating the refresh inside the replay window returns the same answer', async () => {
      const { client, tokens } = await signedIn()
      const first = await grants.refresh(client, tokens.refreshToken)
      server.clock.advance(5_000)
      const again = await grants.refresh(client, tokens.refreshToken)
      expect(pick(again)).toEqual(pick(first))
      expect(again.expiresIn).toBeLessThanOrEqual(first.expiresIn - 5)
      expect(await areActive(first.accessToken, first.refreshToken)).toEqual([true, true])
      expect(await reuses(client.clientId)).toEqual([])
      const audited = await server.auditEvents({ clientId: client.clientId, eventTypes: ['token.refreshed'] })
      expect(audited).toHaveLength(1)
    })

    it('§4.14.2 inside the window, the order of requested scopes does not matter', async () => {
      const { client, tokens } = await signedIn()
      const first = await grants.refresh(client, tokens.refreshToken, ['orders.read', 'orders.write'])
      const again = await grants.refresh(client, tokens.refreshToken, ['orders.write', 'orders.read'])
      expect(pick(again)).toEqual(pick(first))
    })

    it('§4.14.2 inside the window, requesting no scopes and requesting all of them are the same request', async () => {
      const all = ['orders.write', 'orders.read', 'orders.write']
      for (const [asked, repeated] of [
        [[], all],
        [all, []],
        [all, ['orders.read', 'orders.write']],
      ] as const) {
        const { client, tokens } = await signedIn()
        const first = await grants.refresh(client, tokens.refreshToken, [...asked])
        const again = await grants.refresh(client, tokens.refreshToken, [...repeated])
        expect({ ...pick(again), scopes: [...again.scopes].sort() }).toEqual({
          ...pick(first),
          scopes: [...first.scopes].sort(),
        })
        expect(await refusalOf(grants.refresh(client, tokens.refreshToken, ['orders.read']))).toMatchObject(
          invalidGrant,
        )
      }
    })

    it('§4.14.2 inside the window, requesting some scopes and requesting none are different requests', async () => {
      const { client, tokens } = await signedIn()
      const first = await grants.refresh(client, tokens.refreshToken, ['orders.read'])
      expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
      expect(pick(await grants.refresh(client, tokens.refreshToken, ['orders.read', 'orders.read']))).toEqual(
        pick(first),
      )
    })

    it('§4.14.2 inside the window, other audiences are a different request; none and all of them are the same', async () => {
      const both = ['https://orders.example', 'https://stock.example']
      const [orders = '', stock = ''] = both
      const client = await grants.webClient({ audiences: both })
      const signIn = () => grants.signIn(client, { audiences: both })
      for (const [asked, repeated] of [
        [[], [stock, orders]],
        [both, []],
        [[stock], [stock, stock]],
      ] as const) {
        const { refreshToken } = await signIn()
        const first = await grants.refresh(client, refreshToken, [], [...asked])
        expect(pick(await grants.refresh(client, refreshToken, [], [...repeated]))).toEqual(pick(first))
        expect(await refusalOf(grants.refresh(client, refreshToken, [], [orders]))).toMatchObject(invalidGrant)
        expect(await areActive(first.accessToken, first.refreshToken)).toEqual([true, true])
      }
      const { refreshToken } = await signIn()
      await grants.refresh(client, refreshToken, [], [stock])
      expect(await refusalOf(grants.refresh(client, refreshToken))).toMatchObject(invalidGrant)
    })

    describe('inside the window, an answer that is no longer valid is not repeated', () => {
      const minute = { refreshTokenReplayWindow: seconds(60) }
      type Refreshed = { clientId: string; tokens: Tokens; first: Tokens }
      const repeatAfter = async (config: object, end: (of: Refreshed) => unknown) => {
        const { client, tokens } = await signedIn({ config: { ...minute, ...config } })
        const first = await grants.refresh(client, tokens.refreshToken)
        await end({ clientId: client.clientId, tokens, first })
        const refused = await refusalOf(grants.refresh(client, tokens.refreshToken))
        expect(await reuses(client.clientId)).toEqual([])
        return refused
      }

      it('§4.14.2 inside the window, the answer is not repeated if the new refresh token has expired', async () => {
        const refused = await repeatAfter({ refreshTokenTtl: seconds(20) }, () => server.clock.advance(20_000))
        expect(refused).toMatchObject(invalidGrant)
      })

      it('§4.14.2 inside the window, the answer is not repeated if the access token has expired', async () => {
        const refused = await repeatAfter({ accessTokenTtl: seconds(20) }, () => server.clock.advance(20_000))
        expect(refused).toMatchObject(invalidGrant)
      })

      it('§4.14.2 inside the window, the answer is not repeated if the client has revoked the access token', async () => {
        const { client, tokens } = await signedIn()
        const first = await grants.refresh(client, tokens.refreshToken)
        await server.call(TokenService.method.revokeToken, { client: client.client, token: first.accessToken })
        expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
        // The refresh token and its family are still active.
        expect(await areActive(first.refreshToken)).toEqual([true])
        expect((await grants.refresh(client, first.refreshToken)).accessToken).not.toBe(first.accessToken)
      })

      it('§4.14.2 inside the window, the answer is not repeated if the access token was revoked by its handle', async () => {
        const refused = await repeatAfter({}, ({ first }) =>
          server.call(
            TokenService.method.revokeTokens,
            { target: { case: 'tokenId', value: first.tokenId }, reason: 'stolen' },
            grants.bearer(),
          ),
        )
        expect(refused).toMatchObject(invalidGrant)
      })

      it('§4.14.2 inside the window, the answer is not repeated if the client has lost one of its scopes', async () => {
        const take = (scopes: string[]) => (of: Refreshed) =>
          server.call(
            updateClient,
            { client: { clientId: of.clientId, scopes }, updateMask: { paths: ['scopes'] } },
            grants.bearer(),
          )
        expect(await repeatAfter({}, take(['orders.read']))).toMatchObject(invalidGrant)
        expect(await repeatAfter({}, take([]))).toMatchObject({ reason: 'OAUTH_INVALID_SCOPE' })
      })
    })

    it('§4.14.2 expires_in of a repeated answer is the remaining lifetime', async () => {
      const { client, tokens } = await signedIn({ config: { accessTokenTtl: seconds(100) } })
      await grants.refresh(client, tokens.refreshToken)
      server.clock.advance(7_000)
      const again = await grants.refresh(client, tokens.refreshToken)
      const end = Number((await grants.claimsOf(again.accessToken))?.expireTime?.seconds) * 1_000
      expect(again.expiresIn).toBeLessThanOrEqual(93)
      expect(again.expiresIn * 1_000).toBeGreaterThan(end - server.clock.now() - 1_000)
    })

    it('§4.14.2 other scopes inside the window are refused, and nothing is revoked', async () => {
      const { client, tokens } = await signedIn()
      const first = await grants.refresh(client, tokens.refreshToken)
      const refused = await refusalOf(grants.refresh(client, tokens.refreshToken, ['orders.read']))
      expect(refused).toMatchObject(invalidGrant)
      expect(await areActive(first.accessToken, first.refreshToken)).toEqual([true, true])
      expect(pick(await grants.refresh(client, tokens.refreshToken))).toEqual(pick(first))
    })

    it('§4.14.2 inside the window, another client is refused and nothing is revoked', async () => {
      const { client, tokens } = await signedIn()
      const thief = await grants.webClient()
      const first = await grants.refresh(client, tokens.refreshToken)
      expect(await refusalOf(grants.refresh(thief, tokens.refreshToken))).toMatchObject(invalidGrant)
      expect(await areActive(first.accessToken, first.refreshToken)).toEqual([true, true])
    })

    it('§4.14.2 inside the window, it is reuse if the new refresh token is spent: the family is revoked', async () => {
      const { client, tokens } = await signedIn()
      const second = await grants.refresh(client, tokens.refreshToken)
      const third = await grants.refresh(client, second.refreshToken)
      expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
      const all = [tokens.accessToken, second.accessToken, third.accessToken, third.refreshToken]
      expect(await areActive(...all)).toEqual([false, false, false, false])
      expect(await reuses(client.clientId)).toHaveLength(1)
    })

    it('§4.14.2 outside the window it is reuse: the family is revoked at once, and it is audited', async () => {
      const { client, tokens } = await signedIn()
      const second = await grants.refresh(client, tokens.refreshToken)
      const grantId = await grantIdOf(client.clientId)
      server.clock.advance(10_001)
      expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
      const all = [tokens.accessToken, second.accessToken, second.refreshToken]
      expect(await areActive(...all)).toEqual([false, false, false])
      expect(await refusalOf(grants.refresh(client, second.refreshToken))).toMatchObject(invalidGrant)
      const [event, ...others] = await reuses(client.clientId)
      expect(event).toMatchObject({ grantId, actor: client.clientId })
      expect(others).toEqual([])
    })

    it('§4.14.2 without a replay window, a second use revokes the family', async () => {
      const { client, tokens } = await signedIn({ config: { refreshTokenReplayWindow: seconds(0) } })
      const second = await grants.refresh(client, tokens.refreshToken)
      expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
      expect(await areActive(second.accessToken, second.refreshToken)).toEqual([false, false])
    })

    it('§4.14.2 stores the answer encrypted, and erases it when the new refresh token is spent', async () => {
      const { client, tokens } = await signedIn()
      const kept = async () => {
        const rows = await database.query(
          `select replay_answer from oauth_refresh_tokens where client_id = '${client.clientId}' and replay_answer is not null`,
        )
        return rows.length
      }
      expect(await kept()).toBe(0)
      const second = await grants.refresh(client, tokens.refreshToken)
      expect(await kept()).toBe(1)
      const text = await dump(database)
      expect([second.accessToken, second.refreshToken].filter((value) => text.includes(value))).toEqual([])
      await server.call(
        updateClient,
        {
          client: { clientId: client.clientId, config: { refreshTokenReplayWindow: seconds(0) } },
          updateMask: { paths: ['config.refresh_token_replay_window'] },
        },
        grants.bearer(),
      )
      await grants.refresh(client, second.refreshToken)
      expect(await kept()).toBe(0)
    })

    it('§4.14.2 a refresh token expires if it is not used', async () => {
      const { client, tokens } = await signedIn({ config: { refreshTokenTtl: seconds(60) } })
      server.clock.advance(50_000)
      const second = await grants.refresh(client, tokens.refreshToken)
      server.clock.advance(50_000)
      const third = await grants.refresh(client, second.refreshToken)
      server.clock.advance(60_000)
      expect(await refusalOf(grants.refresh(client, third.refreshToken))).toMatchObject(invalidGrant)
      expect(await grants.isActive(third.refreshToken)).toBe(false)
    })

    it('§4.14.2 a grant ends at its absolute limit, even if it is refreshed', async () => {
      const config = { refreshTokenTtl: seconds(60), refreshTokenMaxLifetime: seconds(90) }
      const { client, tokens } = await signedIn({ config })
      server.clock.advance(50_000)
      const second = await grants.refresh(client, tokens.refreshToken)
      expect(second.expiresIn).toBeLessThanOrEqual(40)
      server.clock.advance(30_000)
      const third = await grants.refresh(client, second.refreshToken)
      server.clock.advance(10_000)
      expect(await areActive(third.accessToken, third.refreshToken)).toEqual([false, false])
      expect(await refusalOf(grants.refresh(client, third.refreshToken))).toMatchObject(invalidGrant)
    })
  })

  describe('§4.14.2 events that end refresh tokens in the very next call', () => {
    const ends = async (
      end: (of: { clientId: string; userId: string; grantId: string; tokens: Tokens }) => Promise<unknown>,
    ) => {
      const { client, tokens } = await signedIn()
      const userId = (await grants.claimsOf(tokens.accessToken))?.subject ?? ''
      expect(await areActive(tokens.accessToken, tokens.refreshToken)).toEqual([true, true])
      await end({ clientId: client.clientId, userId, grantId: await grantIdOf(client.clientId), tokens })
      expect(await areActive(tokens.accessToken, tokens.refreshToken)).toEqual([false, false])
      return { client, tokens, userId }
    }
    type Target = 'clientId' | 'userId' | 'grantId' | 'tokenId'
    const revoke = (which: Target, value: string) =>
      server.call(revokeTokens, { target: { case: which, value } }, grants.bearer())

    it('§4.14.2 tokens of a disabled client are inactive until it is enabled', async () => {
      const { client, tokens } = await ends(({ clientId }) => server.call(disableClient, { clientId }, grants.bearer()))
      expect((await refusalOf(grants.refresh(client, tokens.refreshToken))).reason).toBe('OAUTH_INVALID_CLIENT')
      await server.call(enableClient, { clientId: client.clientId }, grants.bearer())
      expect((await grants.refresh(client, tokens.refreshToken)).refreshToken).not.toBe('')
    })

    it('§4.14.2 tokens of a deactivated user are inactive, inside the window too', async () => {
      const { client, tokens, userId } = await ends(({ userId }) =>
        server.call(UserService.method.deactivateUser, { userId }, grants.bearer()),
      )
      expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
      await server.call(UserService.method.reactivateUser, { userId }, grants.bearer())
      const second = await grants.refresh(client, tokens.refreshToken)
      await server.call(UserService.method.deactivateUser, { userId }, grants.bearer())
      expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
      expect(await areActive(second.accessToken, second.refreshToken)).toEqual([false, false])
    })

    it('§4.14.2 tokens of a deleted user are inactive', async () => {
      const { client, tokens } = await ends(({ userId }) =>
        server.call(UserService.method.deleteUser, { userId }, grants.bearer()),
      )
      expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
    })

    it('§4.14.2 tokens of a deleted client are inactive', async () => {
      await ends(({ clientId }) => server.call(ClientService.method.deleteClient, { clientId }, grants.bearer()))
    })

    it('§4.14.2 revocation by client, by user or by grant ends their tokens', async () => {
      for (const which of ['clientId', 'userId', 'grantId'] as const) {
        const { client, tokens } = await ends((of) => revoke(which, of[which]))
        expect(await refusalOf(grants.refresh(client, tokens.refreshToken))).toMatchObject(invalidGrant)
      }
    })

    it('§4.14.2 revocation by client or by user does not affect later grants', async () => {
      for (const which of ['clientId', 'userId'] as const) {
        const { client, userId } = await ends((of) => revoke(which, of[which]))
        const fresh = await grants.signIn(client, { user: { id: { case: 'userId', value: userId } } })
        expect(await areActive(fresh.accessToken, fresh.refreshToken)).toEqual([true, true])
        expect((await grants.refresh(client, fresh.refreshToken)).refreshToken).not.toBe('')
      }
    })

    it('§4.14.2 revocation by client ends codes that are not redeemed yet', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      await revoke('clientId', client.clientId)
      expect(await refusalOf(grants.exchangeCode(client, code))).toMatchObject(invalidGrant)
    })

    it('§4.14.2 revocation by the handle of a refresh token ends the family, by that of an access token only this token', async () => {
      const { client, tokens } = await signedIn()
      const listed = await server.call(listTokens, { clientId: client.clientId }, grants.bearer())
      const refresh = listed.tokens.find(({ tokenId }) => tokenId !== tokens.tokenId)
      expect((await revoke('tokenId', tokens.tokenId)).revokedCount).toBe(1)
      expect(await areActive(tokens.accessToken, tokens.refreshToken)).toEqual([false, true])
      const second = await grants.refresh(client, tokens.refreshToken)
      expect((await revoke('tokenId', refresh?.tokenId ?? '')).revokedCount).toBe(1)
      expect(await areActive(second.accessToken, second.refreshToken)).toEqual([false, false])
      expect((await revoke('tokenId', refresh?.tokenId ?? '')).revokedCount).toBe(0)
    })

    it('§4.14.2 a client that revokes a refresh token, even a spent one, ends the family (RFC 7009 §2.1)', async () => {
      for (const refreshedBefore of [false, true]) {
        const { client, tokens } = await signedIn()
        const last = refreshedBefore ? await grants.refresh(client, tokens.refreshToken) : tokens
        await server.call(revokeToken, { client: client.client, token: tokens.refreshToken })
        expect(await areActive(tokens.accessToken, last.accessToken, last.refreshToken)).toEqual([false, false, false])
        expect(await refusalOf(grants.refresh(client, last.refreshToken))).toMatchObject(invalidGrant)
      }
    })
  })

  describe('§4.15 clients and users', () => {
    it('§4.15 refuses to register a client id in the form of a user id', async () => {
      const refused = await refusalOf(server.registerClient({ clientId: '01890000-0000-7000-8000-000000000000' }))
      expect(refused).toMatchObject({ reason: 'REGISTRATION_INVALID_CLIENT_METADATA', violations: ['client_id'] })
    })
  })

  describe('§2.5 client authentication', () => {
    it('§2.5 a confidential client without its secret cannot use its code or refresh token', async () => {
      const client = await grants.webClient()
      const code = await grants.createCode(client)
      const nameOnly = { client: { clientId: client.clientId } as typeof client.client }
      expect((await refusalOf(grants.exchangeCode(nameOnly, code))).reason).toBe('OAUTH_INVALID_CLIENT')
      const tokens = await grants.exchangeCode(client, code)
      expect((await refusalOf(grants.refresh(nameOnly, tokens.refreshToken))).reason).toBe('OAUTH_INVALID_CLIENT')
      expect((await grants.refresh(client, tokens.refreshToken)).refreshToken).not.toBe('')
    })

    it('§2.5 gives public clients no secret', async () => {
      const { clientSecret } = await server.registerClient({ type: ClientType.PUBLIC, grantTypes: [] })
      expect(clientSecret).toBe('')
    })
  })
})

/** The parts of an answer that must be the same in a repetition. */
function pick({ expiresIn: _left, ...same }: { readonly expiresIn: number }) {
  return same
}
