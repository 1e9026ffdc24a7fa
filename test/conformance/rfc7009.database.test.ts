import { describe, expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { IMPOSSIBLE_TOKENS } from '../setup/impossible-tokens.ts'

const { introspectToken, listTokens, mintToken, revokeToken, revokeTokens } = TokenService.method

onEveryBackend('RFC 7009', (server) => {
  async function minted() {
    const owner = await server.registerClient({})
    const { token } = await server.call(mintToken, { client: owner.client })
    return { ...owner, token: token?.accessToken ?? '', tokenId: token?.tokenId ?? '' }
  }
  const isActive = async (client: object, token: string) =>
    (await server.call(introspectToken, { client, token })).active

  describe('§2 revocation by the client', () => {
    it('§2.1 a revoked token is inactive in the very next call', async () => {
      const { client, token } = await minted()
      expect(await isActive(client, token)).toBe(true)
      await server.call(revokeToken, { client, token })
      expect(await isActive(client, token)).toBe(false)
    })

    it('§2.1 refuses another client’s token, which stays valid', async () => {
      const { client, token } = await minted()
      const thief = await server.registerClient({})
      const refused = await refusalOf(server.call(revokeToken, { client: thief.client, token }))
      expect(refused).toMatchObject({ status: 'FAILED_PRECONDITION', reason: 'OAUTH_INVALID_GRANT' })
      expect(await isActive(client, token)).toBe(true)
    })

    it('§2.1 authenticates the client first', async () => {
      const { clientId, client, token } = await minted()
      const wrong = { clientId, method: { case: 'clientSecret' as const, value: 'wrong' } }
      expect((await refusalOf(server.call(revokeToken, { client: wrong, token }))).reason).toBe('OAUTH_INVALID_CLIENT')
      expect(await isActive(client, token)).toBe(true)
    })

    it('§2.1 ignores a wrong or unknown hint', async () => {
      for (const tokenTypeHint of ['refresh_token', 'saml2', '']) {
        const { client, token } = await minted()
        await server.call(revokeToken, { client, token, tokenTypeHint })
        expect(await isActive(client, token)).toBe(false)
      }
    })

    it('§2.2 answers OK for an unknown, malformed, revoked or expired token', async () => {
      const { client, token } = await minted()
      await server.call(revokeToken, { client, token })
      await server.call(revokeToken, { client, token })
      await server.call(revokeToken, { client, token: 'garbage' })
      await server.call(revokeToken, { client, token: server.unknownToken() })
      for (const impossible of ['', ...IMPOSSIBLE_TOKENS]) await server.call(revokeToken, { client, token: impossible })
      const { token: short } = await server.call(mintToken, { client, lifetime: { seconds: 1n } })
      server.clock.advance(1_500)
      await server.call(revokeToken, { client, token: short?.accessToken ?? '' })
    })

    it('audits a revocation once, even with 20 calls at the same time', async () => {
      const { client, clientId, token, tokenId } = await minted()
      await Promise.all(Array.from({ length: 20 }, () => server.call(revokeToken, { client, token })))
      const events = await server.auditEvents({ clientId, eventTypes: ['token.revoked'] })
      expect(events.map((event) => event.tokenId)).toEqual([tokenId])
    })
  })

  describe('revocation by handle', () => {
    const bearer = () => ({ bearer: server.admin.token })

    it('revokes one token, returns the count, and audits the reason', async () => {
      const { client, clientId, token, tokenId } = await minted()
      const target = { case: 'tokenId' as const, value: tokenId }
      const first = await server.call(revokeTokens, { target, reason: 'leaked in a log' }, bearer())
      expect(first.revokedCount).toBe(1)
      expect(await isActive(client, token)).toBe(false)
      expect((await server.call(revokeTokens, { target }, bearer())).revokedCount).toBe(0)
      const [event] = await server.auditEvents({ clientId, eventTypes: ['token.revoked'] })
      expect(event).toMatchObject({ tokenId, actor: server.admin.clientId, metadata: { reason: 'leaked in a log' } })
    })

    it('revokes all existing tokens of a client, and none that is minted afterwards', async () => {
      const { client, clientId, token } = await minted()
      const other = await minted()
      const target = { case: 'clientId' as const, value: clientId }
      expect((await server.call(revokeTokens, { target }, bearer())).revokedCount).toBeUndefined()
      expect(await isActive(client, token)).toBe(false)
      expect(await isActive(other.client, other.token)).toBe(true)
      const { token: fresh } = await server.call(mintToken, { client })
      expect(await isActive(client, fresh?.accessToken ?? '')).toBe(true)
    })

    it('answers RESOURCE_NOT_FOUND for an unknown handle', async () => {
      const id = '01890000-0000-7000-8000-000000000000'
      const targets = [
        { case: 'tokenId' as const, value: id },
        { case: 'clientId' as const, value: 'nobody-here' },
        { case: 'userId' as const, value: id },
        { case: 'grantId' as const, value: id },
      ]
      for (const target of targets) {
        const refused = await refusalOf(server.call(revokeTokens, { target }, bearer()))
        expect(refused).toMatchObject({ status: 'NOT_FOUND', reason: 'RESOURCE_NOT_FOUND' })
        expect(refused.details.resource?.resourceName).toBe(target.value)
      }
      const none = await refusalOf(server.call(revokeTokens, {}, bearer()))
      expect(none).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['target'] })
    })

    it('tokens of disabled and deleted clients are inactive in the very next call', async () => {
      const { token, clientId } = await minted()
      const look = async () => (await server.call(introspectToken, { token }, bearer())).active
      expect(await look()).toBe(true)
      await server.call(ClientService.method.disableClient, { clientId }, bearer())
      expect(await look()).toBe(false)
      await server.call(ClientService.method.enableClient, { clientId }, bearer())
      expect(await look()).toBe(true)
      await server.call(ClientService.method.deleteClient, { clientId }, bearer())
      expect(await look()).toBe(false)
    })
  })

  describe('listing by handle', () => {
    it('pages the tokens of a client, newest first', async () => {
      const { client, clientId } = await server.registerClient({})
      const handles: string[] = []
      for (let i = 0; i < 7; i += 1) handles.push((await server.call(mintToken, { client })).token?.tokenId ?? '')
      const seen: string[] = []
      let pageToken = ''
      do {
        const page = await server.call(listTokens, { clientId, pageSize: 3, pageToken }, { bearer: server.admin.token })
        expect(page.tokens.length).toBeLessThanOrEqual(3)
        seen.push(...page.tokens.map(({ tokenId }) => tokenId))
        pageToken = page.nextPageToken
      } while (pageToken !== '')
      expect(seen).toEqual(handles.reverse())
    })

    it('lists only active tokens if requested', async () => {
      const { client, clientId, token } = await minted()
      const { token: kept } = await server.call(mintToken, { client })
      await server.call(revokeToken, { client, token })
      const bearer = server.admin.token
      const all = await server.call(listTokens, { clientId }, { bearer })
      expect(all.tokens.map(({ active }) => active)).toEqual([true, false])
      expect(all.tokens[1]?.revokeTime).toBeDefined()
      const active = await server.call(listTokens, { clientId, activeOnly: true }, { bearer })
      expect(active.tokens.map(({ tokenId }) => tokenId)).toEqual([kept?.tokenId])
    })

    it('refuses a page token of another filter, a forged one, and a page size above 1,000', async () => {
      const { client, clientId } = await minted()
      await server.call(mintToken, { client })
      const bearer = server.admin.token
      const { nextPageToken } = await server.call(listTokens, { clientId, pageSize: 1 }, { bearer })
      expect(nextPageToken).not.toBe('')
      for (const request of [
        { clientId, activeOnly: true, pageToken: nextPageToken },
        { pageToken: nextPageToken },
        { clientId, pageToken: 'forged' },
      ]) {
        const refused = await refusalOf(server.call(listTokens, request, { bearer }))
        expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['page_token'] })
      }
      const tooLarge = await refusalOf(server.call(listTokens, { pageSize: 1_001 }, { bearer }))
      expect(tooLarge.violations).toEqual(['page_size'])
    })
  })
})
