import { describe, expect, it } from 'vitest'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'

const { mintToken, batchMintTokens } = TokenService.method

onEveryBackend('RFC 6749', (server) => {
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

    it('§2.3 refuses a bearer token where a client must prove itself', async () => {
      const refused = await refusalOf(server.call(mintToken, {}, { bearer: server.admin.token }))
      expect(refused).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'OAUTH_INVALID_CLIENT' })
    })

    it('§2.3.1 accepts only the registered method: a public client with a secret is not proved', async () => {
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

  describe('§4.4 client credentials grant', () => {
    it('§4.4.2 none asked: issues all scopes the client may have', async () => {
      const { client } = await service()
      const { token } = await server.call(mintToken, { client })
      expect(token?.scopes).toEqual(['orders.read', 'orders.write'])
      expect(token?.audiences).toEqual([])
    })

    it('§4.4.2 issues the scopes and audiences that were asked, and says so', async () => {
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
      expect(refused.metadata['oauth_error']).toBe('unauthorized_client')
    })

    it('§4.4 registers no public client for it', async () => {
      const wanted = { type: ClientType.PUBLIC, grantTypes: [GrantType.CLIENT_CREDENTIALS] }
      const refused = await refusalOf(
        server.call(ClientService.method.registerClient, wanted, { bearer: server.admin.token }),
      )
      expect(refused).toMatchObject({ reason: 'REGISTRATION_INVALID_CLIENT_METADATA', violations: ['grant_types'] })
    })
  })

  describe('§5.1 successful response', () => {
    it('tells type, lifetime and moment of expiry', async () => {
      const { client } = await service()
      const { token } = await server.call(mintToken, { client, lifetime: { seconds: 90n } })
      expect(token?.tokenType).toBe('Bearer')
      expect(token?.expiresIn?.seconds).toBe(90n)
      const now = BigInt(Math.floor(server.clock.now() / 1_000))
      expect(token?.expireTime?.seconds).toBeGreaterThanOrEqual(now + 89n)
      expect(token?.expireTime?.seconds).toBeLessThanOrEqual(now + 90n)
    })

    it('lets a token live as long as its client says, and no longer', async () => {
      const { client } = await service({ config: { accessTokenTtl: { seconds: 60n } } })
      expect((await server.call(mintToken, { client })).token?.expiresIn?.seconds).toBe(60n)
      expect((await server.call(mintToken, { client, lifetime: { seconds: 60n } })).token?.expiresIn?.seconds).toBe(60n)
      const refused = await refusalOf(server.call(mintToken, { client, lifetime: { seconds: 61n } }))
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['lifetime'] })
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

    it('invalid_client: no credentials at all, whatever else is wrong with the request', async () => {
      const refused = await refusalOf(server.call(mintToken, { lifetime: { seconds: -1n } }))
      expect(refused).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'OAUTH_INVALID_CLIENT' })
    })

    it('invalid_client: an authorization header nobody can read', async () => {
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

    it('carries ray id and help link beside the reason', async () => {
      const refused = await refusalOf(server.call(mintToken, {}, { metadata: { 'x-ray-id': 'my-ray.1' } }))
      expect(refused.rayId).toBe('my-ray.1')
      expect(refused.details.info?.domain).toBe('qscope')
      expect(refused.details.help?.links[0]?.url).toContain('oauth-invalid-client')
    })
  })

  describe('batches', () => {
    it('§4.4 judges each request on its own, and answers in order', async () => {
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

    it('§4.4 stores what it answered, audited', async () => {
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
})
