import { describe, expect, it } from 'vitest'
import { ClientType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { IMPOSSIBLE_TOKENS } from '../setup/impossible-tokens.ts'

const { batchIntrospectTokens, introspectToken, mintToken, revokeToken } = TokenService.method

onEveryBackend('RFC 7662', (server) => {
  const mint = async (client: object, more = {}) => (await server.call(mintToken, { client, ...more })).token

  describe('§2.1 request', () => {
    it('authenticates the caller', async () => {
      const refused = await refusalOf(server.call(introspectToken, { token: server.unknownToken() }))
      expect(refused).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'OAUTH_INVALID_CLIENT' })
    })

    it('refuses public clients', async () => {
      const { clientId } = await server.registerClient({ type: ClientType.PUBLIC, grantTypes: [] })
      const refused = await refusalOf(server.call(introspectToken, { client: { clientId }, token: 'x' }))
      expect(refused.reason).toBe('OAUTH_UNAUTHORIZED_CLIENT')
    })

    it('refuses a bearer token without qscope:tokens.read', async () => {
      const { client } = await server.registerClient({ scopes: ['qscope:clients.read'] })
      const token = await mint(client)
      const refused = await refusalOf(
        server.call(introspectToken, { token: 'x' }, { bearer: token?.accessToken ?? '' }),
      )
      expect(refused.reason).toBe('OAUTH_INSUFFICIENT_SCOPE')
    })

    it('ignores a wrong or unknown hint', async () => {
      const { client } = await server.registerClient({})
      const token = (await mint(client))?.accessToken ?? ''
      for (const tokenTypeHint of ['refresh_token', 'access_token', 'nonsense']) {
        expect((await server.call(introspectToken, { client, token, tokenTypeHint })).active).toBe(true)
      }
    })
  })

  describe('§2.2 response', () => {
    it('returns all claims of an active token', async () => {
      const { client, clientId } = await server.registerClient({ scopes: ['a', 'b'], audiences: ['https://x.example'] })
      const token = await mint(client, { scopes: ['a'], audiences: ['https://x.example'], lifetime: { seconds: 60n } })
      const { active, claims } = await server.call(introspectToken, { client, token: token?.accessToken ?? '' })
      expect(active).toBe(true)
      expect(claims).toMatchObject({
        tokenId: token?.tokenId,
        clientId,
        subject: clientId,
        scopes: ['a'],
        audiences: ['https://x.example'],
        issuer: server.issuer,
      })
      expect((claims?.expireTime?.seconds ?? 0n) - (claims?.issueTime?.seconds ?? 0n)).toBe(60n)
      expect(claims?.expireTime).toEqual(token?.expireTime)
    })

    it('returns only active: false for a token that is unknown, malformed, expired, revoked or hidden from the caller', async () => {
      const audience = server.unique('https://api.example/')
      const owner = await server.registerClient({ audiences: [audience] })
      const stranger = await server.registerClient({})
      const foreign = await mint(owner.client, { audiences: [audience] })
      const revoked = await mint(stranger.client)
      await server.call(revokeToken, { client: stranger.client, token: revoked?.accessToken ?? '' })
      const expired = await mint(stranger.client, { lifetime: { seconds: 1n } })
      server.clock.advance(1_001)
      const presented = ['garbage', server.unknownToken(), foreign, revoked, expired].map((token) =>
        typeof token === 'string' ? token : (token?.accessToken ?? ''),
      )
      for (const token of presented) {
        const answer = await server.call(introspectToken, { client: stranger.client, token })
        expect(answer).toMatchObject({ active: false })
        expect(answer.claims).toBeUndefined()
      }
      expect(
        (await server.call(introspectToken, { client: owner.client, token: foreign?.accessToken ?? '' })).active,
      ).toBe(true)
    })

    it('§2.2 answers active: false for text that cannot be a token, without effect on other tokens of a batch', async () => {
      const { client } = await server.registerClient({})
      const token = (await mint(client))?.accessToken ?? ''
      for (const impossible of ['', ...IMPOSSIBLE_TOKENS]) {
        expect(await server.call(introspectToken, { client, token: impossible })).toMatchObject({ active: false })
      }
      const tokens = ['', ...IMPOSSIBLE_TOKENS].flatMap((impossible) => [token, impossible])
      const { results } = await server.call(batchIntrospectTokens, { client, tokens })
      expect(results.map(({ active }) => active)).toEqual(tokens.map((each) => each === token))
    })

    it('shows a token to its client and its audiences, and to every client if it has no audience', async () => {
      const audience = server.unique('https://api.example/')
      const api = await server.registerClient({ resourceAudiences: [audience] })
      const other = await server.registerClient({})
      const owner = await server.registerClient({ audiences: [audience, other.clientId] })
      const look = async (client: object, token: { accessToken: string } | undefined) =>
        (await server.call(introspectToken, { client, token: token?.accessToken ?? '' })).active
      const forApi = await mint(owner.client, { audiences: [audience] })
      expect([
        await look(owner.client, forApi),
        await look(api.client, forApi),
        await look(other.client, forApi),
      ]).toEqual([true, true, false])
      const byClientId = await mint(owner.client, { audiences: [other.clientId] })
      expect([await look(api.client, byClientId), await look(other.client, byClientId)]).toEqual([false, true])
      const forNobody = await mint(owner.client)
      expect([await look(api.client, forNobody), await look(other.client, forNobody)]).toEqual([true, true])
    })

    it('hides a token from a resource server whose audience was removed', async () => {
      const audience = server.unique('https://api.example/')
      const api = await server.registerClient({ resourceAudiences: [audience] })
      const owner = await server.registerClient({ audiences: [audience] })
      const token = (await mint(owner.client, { audiences: [audience] }))?.accessToken ?? ''
      expect((await server.call(introspectToken, { client: api.client, token })).active).toBe(true)
      await server.call(
        ClientService.method.updateClient,
        { client: { clientId: api.clientId }, updateMask: { paths: ['resource_audiences'] } },
        { bearer: server.admin.token },
      )
      expect((await server.call(introspectToken, { client: api.client, token })).active).toBe(false)
    })
  })

  describe('batches', () => {
    it('§2.2 a batch is answered in order, each token as in a single request', async () => {
      const { client } = await server.registerClient({})
      const minted = await Promise.all(Array.from({ length: 40 }, () => mint(client)))
      const revoked = minted.filter((_, index) => index % 3 === 0)
      await Promise.all(revoked.map((token) => server.call(revokeToken, { client, token: token?.accessToken ?? '' })))
      const tokens = minted.flatMap((token) => [token?.accessToken ?? '', 'garbage', server.unknownToken()])
      const { results } = await server.call(batchIntrospectTokens, { client, tokens })
      expect(results.map(({ active }) => active)).toEqual(minted.flatMap((_, index) => [index % 3 !== 0, false, false]))
      expect(results[3]?.claims?.tokenId).toBe(minted[1]?.tokenId)
    })

    it('may contain 1,000 tokens, including duplicates', async () => {
      const { client } = await server.registerClient({})
      const token = (await mint(client))?.accessToken ?? ''
      const tokens = Array.from({ length: 1_000 }, (_, index) => (index % 2 === 0 ? token : server.unknownToken()))
      const { results } = await server.call(batchIntrospectTokens, { client, tokens })
      expect(results.filter(({ active }) => active).length).toBe(500)
    })

    it('are refused above 1,000 tokens, and the field is named', async () => {
      const { client } = await server.registerClient({})
      const many = Array.from({ length: 1_001 }, () => 'x')
      expect((await refusalOf(server.call(batchIntrospectTokens, { client, tokens: many }))).violations).toEqual([
        'tokens',
      ])
    })
  })
})
