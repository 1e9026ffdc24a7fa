import { describe, expect, it } from 'vitest'
import { ClientType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { SubjectType, TokenUse } from '../../src/gen/qscope/v1/token_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { IMPOSSIBLE_TOKENS } from '../setup/impossible-tokens.ts'

const { verifyToken, mintToken } = TokenService.method
const { getClient, disableClient, updateClient } = ClientService.method

onEveryBackend('RFC 6750', (server) => {
  async function orders() {
    const audience = server.unique('https://orders.example/')
    const api = await server.registerClient({ resourceAudiences: [audience] })
    const caller = await server.registerClient({ scopes: ['orders.read', 'orders.write'], audiences: [audience] })
    const { token } = await server.call(mintToken, { client: caller.client, audiences: [audience] })
    return { audience, api, caller, token: token?.accessToken ?? '', tokenId: token?.tokenId ?? '' }
  }
  const invalid = { status: 'UNAUTHENTICATED', reason: 'OAUTH_INVALID_TOKEN' }

  describe('§3 verification by a resource server', () => {
    it('returns the claims of the token', async () => {
      const { audience, api, caller, token, tokenId } = await orders()
      const request = { client: api.client, token, requiredScopes: ['orders.read'], audience }
      const { claims } = await server.call(verifyToken, request)
      expect(claims).toMatchObject({
        tokenId,
        clientId: caller.clientId,
        subject: caller.clientId,
        subjectType: SubjectType.CLIENT,
        tokenUse: TokenUse.ACCESS,
        issuer: server.issuer,
        audiences: [audience],
        scopes: ['orders.read', 'orders.write'],
      })
    })

    it('§3.1 insufficient_scope: names the required scopes', async () => {
      const { api, token } = await orders()
      const requiredScopes = ['orders.read', 'orders.delete']
      const refused = await refusalOf(server.call(verifyToken, { client: api.client, token, requiredScopes }))
      expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_INSUFFICIENT_SCOPE' })
      expect(refused.metadata['required_scopes']).toBe('orders.read orders.delete')
    })

    it('§3.1 invalid_token: malformed, mistyped, unknown and expired tokens get one answer, which names the presented token', async () => {
      const { api, token } = await orders()
      const mistyped = token.slice(0, -1) + (token.endsWith('0') ? '1' : '0')
      const short = await server.call(mintToken, { client: api.client, lifetime: { seconds: 1n } })
      server.clock.advance(2_000)
      const presentable = ['garbage', mistyped, server.unknownToken(), short.token?.accessToken ?? '']
      for (const presented of [...presentable, '', ...IMPOSSIBLE_TOKENS]) {
        const refused = await refusalOf(server.call(verifyToken, { client: api.client, token: presented }))
        expect(refused).toMatchObject(invalid)
        expect(refused.metadata).toEqual({ oauth_error: 'invalid_token', token: 'presented' })
      }
    })

    it('§3.1 invalid_token: a token that is not for the named audience', async () => {
      const { api, token } = await orders()
      const other = await refusalOf(
        server.call(verifyToken, { client: api.client, token, audience: 'https://other.example' }),
      )
      expect(other).toMatchObject(invalid)
      const { client } = api
      const { token: bare } = await server.call(mintToken, { client })
      const without = await refusalOf(
        server.call(verifyToken, { client, token: bare?.accessToken ?? '', audience: 'x' }),
      )
      expect(without).toMatchObject(invalid)
    })

    it('§3.1 invalid_token: a token whose audience is not the caller', async () => {
      const { token } = await orders()
      const stranger = await server.registerClient({})
      expect(await refusalOf(server.call(verifyToken, { client: stranger.client, token }))).toMatchObject(invalid)
    })

    it('refuses a public client, because it cannot authenticate as a resource server', async () => {
      const { token } = await orders()
      const { clientId } = await server.registerClient({ type: ClientType.PUBLIC, grantTypes: [] })
      const refused = await refusalOf(server.call(verifyToken, { client: { clientId }, token }))
      expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_UNAUTHORIZED_CLIENT' })
    })

    it('accepts a bearer token with qscope:tokens.read instead of client credentials, for any token', async () => {
      const { token, tokenId } = await orders()
      const { claims } = await server.call(verifyToken, { token }, { bearer: server.admin.token })
      expect(claims?.tokenId).toBe(tokenId)
    })

    it('names the malformed field', async () => {
      const { api, token } = await orders()
      const refused = await refusalOf(server.call(verifyToken, { client: api.client, token, requiredScopes: [''] }))
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['required_scopes[0]'] })
    })
  })

  describe('§2 management calls by bearer token', () => {
    const manager = async (scopes: string[], asked: object = {}) => {
      const { client, clientId } = await server.registerClient({ scopes, audiences: ['https://orders.example'] })
      const { token } = await server.call(mintToken, { client, ...asked })
      return { clientId, bearer: token?.accessToken ?? '', token }
    }

    it('§3.1 invalid_token: no token, a malformed one, an unknown one, a client’s own credentials', async () => {
      const { clientId, clientSecret } = await server.registerClient({})
      const attempts = [
        {},
        { bearer: 'garbage' },
        { bearer: server.unknownToken() },
        { basic: [clientId, clientSecret] as const },
        { metadata: { authorization: 'Bearer' } },
      ]
      for (const sent of attempts) {
        const refused = await refusalOf(server.call(getClient, { clientId }, sent))
        expect(refused).toMatchObject(invalid)
        expect(refused.metadata).toEqual({ oauth_error: 'invalid_token' })
      }
    })

    it('§3.1 checks the scope before the fields of the request', async () => {
      const { bearer } = await manager(['orders.read'])
      const refused = await refusalOf(server.call(getClient, { clientId: '' }, { bearer }))
      expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'OAUTH_INSUFFICIENT_SCOPE' })
      expect(refused.metadata['required_scopes']).toBe('qscope:clients.read')
    })

    it('§3.1 checks the scope before the audience', async () => {
      const { bearer } = await manager(['orders.read'], { audiences: ['https://orders.example'] })
      expect((await refusalOf(server.call(getClient, { clientId: 'x' }, { bearer }))).reason).toBe(
        'OAUTH_INSUFFICIENT_SCOPE',
      )
    })

    it('issues permissions only with this server as audience', async () => {
      const { token } = await manager(['orders.read', 'qscope:clients.read'])
      expect(token?.audiences).toEqual([server.issuer])
      const scopes = ['orders.read', 'qscope:clients.read']
      const { client } = await server.registerClient({ scopes, audiences: ['https://orders.example'] })
      const audiences = ['https://orders.example']
      const { token: narrowed } = await server.call(mintToken, { client, audiences })
      expect(narrowed?.scopes).toEqual(['orders.read'])
      const refused = await refusalOf(server.call(mintToken, { client, audiences, scopes: ['qscope:clients.read'] }))
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_TARGET' })
      const { token: explicit } = await server.call(mintToken, {
        client,
        audiences: [server.issuer],
        scopes: ['qscope:clients.read'],
      })
      expect(explicit?.audiences).toEqual([server.issuer])
    })

    it('refuses a permission that the client has lost since its token was issued', async () => {
      const { clientId, bearer } = await manager(['qscope:clients.read'])
      expect((await server.call(getClient, { clientId }, { bearer })).client?.clientId).toBe(clientId)
      await server.call(
        updateClient,
        { client: { clientId, scopes: [] }, updateMask: { paths: ['scopes'] } },
        { bearer: server.admin.token },
      )
      expect((await refusalOf(server.call(getClient, { clientId }, { bearer }))).reason).toBe(
        'OAUTH_INSUFFICIENT_SCOPE',
      )
    })

    it('§3.1 invalid_token: an expired token, and one of a disabled client', async () => {
      const { clientId, bearer } = await manager(['qscope:clients.read'], { lifetime: { seconds: 1n } })
      server.clock.advance(1_000)
      expect(await refusalOf(server.call(getClient, { clientId }, { bearer }))).toMatchObject(invalid)
      const other = await manager(['qscope:clients.read'])
      await server.call(disableClient, { clientId: other.clientId }, { bearer: server.admin.token })
      expect(await refusalOf(server.call(getClient, { clientId }, { bearer: other.bearer }))).toMatchObject(invalid)
    })
  })
})
