import { expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import { IMPOSSIBLE_TOKENS } from '../setup/impossible-tokens.ts'

const { revokeLeakedToken, revokeTokens } = TokenService.method

/** What every answer takes at least. */
const PACE_MS = 100
/** A timer may fire within the millisecond before. */
const EARLY_MS = 2

onEveryBackend(
  'RevokeLeakedToken',
  (server, database) => {
    const grants = grantsOn(server)
    const report = (token: string) => server.call(revokeLeakedToken, { token })
    const events = (tokenId: string) =>
      server
        .auditEvents({ eventTypes: ['token.revoked'] })
        .then((all) => all.filter((event) => event.tokenId === tokenId))

    it('ends an access token for any caller, and keeps other tokens of its grant', async () => {
      const app = await grants.webClient()
      const { accessToken, refreshToken, tokenId } = await grants.signIn(app)
      expect(await report(accessToken)).toMatchObject({})
      expect(await grants.isActive(accessToken)).toBe(false)
      expect((await grants.refresh(app, refreshToken)).accessToken).not.toBe('')
      const [event, ...more] = await events(tokenId)
      expect(more).toEqual([])
      expect(event).toMatchObject({ actor: expect.stringMatching(/^anonymous:/), metadata: { reason: 'leaked' } })
    })

    it('ends a refresh token with its grant, a spent one too', async () => {
      const app = await grants.webClient()
      const { accessToken, refreshToken: spent } = await grants.signIn(app)
      const next = await grants.refresh(app, spent)
      await report(spent)
      for (const token of [accessToken, next.accessToken, next.refreshToken]) {
        expect(await grants.isActive(token)).toBe(false)
      }
      expect((await refusalOf(grants.refresh(app, next.refreshToken))).reason).toBe('OAUTH_INVALID_GRANT')
    })

    it('ends the tokens exchanged for it, and not the one that it was exchanged for', async () => {
      const service = await grants.serviceClient()
      const subject = await grants.mint(service)
      const derived = await grants.exchangeToken(service, subject.accessToken)
      const other = await grants.exchangeToken(service, subject.accessToken)
      await report(other.accessToken)
      expect(await grants.isActive(subject.accessToken)).toBe(true)
      await report(subject.accessToken)
      expect(await grants.isActive(derived.accessToken)).toBe(false)
    })

    it('publishes its revocation to caching verifiers, once', async () => {
      const rows = async () => Number((await database.query('select count(*) as n from oauth_revocations'))[0]?.['n'])
      const { accessToken } = await grants.mint(await grants.serviceClient())
      const before = await rows()
      await report(accessToken)
      await report(accessToken)
      await report(server.unknownToken())
      expect(await rows()).toBe(before + 1)
    })

    it('can be repeated, also concurrently, with one audit event', async () => {
      const { accessToken, tokenId } = await grants.mint(await grants.serviceClient())
      await Promise.all([report(accessToken), report(accessToken), report(accessToken)])
      await report(accessToken)
      expect(await events(tokenId)).toHaveLength(1)
    })

    it('answers the same, after the same time, for any value; other texts write nothing', async () => {
      const service = await grants.serviceClient()
      const [live, ended] = [await grants.mint(service), await grants.mint(service)]
      await server.call(revokeTokens, { target: { case: 'tokenId', value: ended.tokenId } }, grants.bearer())
      const { refreshToken } = await grants.signIn(await grants.webClient())
      const before = (await server.auditEvents({})).length
      const tokens = [
        live.accessToken,
        refreshToken,
        ended.accessToken,
        server.unknownToken(),
        '',
        ...IMPOSSIBLE_TOKENS,
      ]
      for (const token of tokens) {
        const begun = performance.now()
        const answer = await report(token)
        expect(performance.now() - begun).toBeGreaterThan(PACE_MS - EARLY_MS)
        expect(answer).toEqual(await report(server.unknownToken()))
      }
      expect((await server.auditEvents({})).length).toBe(before + 2)
    })
  },
  { variables: { QSCOPE_LEAK_REPORT_RATE: 'off' } },
)

onEveryBackend(
  'RevokeLeakedToken of an address that reports too much',
  (server) => {
    it('is refused before the look-up, and a live token stays', async () => {
      const grants = grantsOn(server)
      const { accessToken } = await grants.mint(await grants.serviceClient())
      for (let count = 0; count < 2; count += 1) {
        await server.call(revokeLeakedToken, { token: server.unknownToken() })
      }
      for (const token of [accessToken, server.unknownToken()]) {
        const refused = await refusalOf(server.call(revokeLeakedToken, { token }))
        expect(refused).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_EXCEEDED' })
        expect(refused.details.quota?.violations[0]).toMatchObject({ subject: expect.stringMatching(/^peer:/) })
      }
      expect(await grants.isActive(accessToken)).toBe(true)
      server.clock.advance(60_000)
      await server.call(revokeLeakedToken, { token: accessToken })
      expect(await grants.isActive(accessToken)).toBe(false)
    })
  },
  { variables: { QSCOPE_LEAK_REPORT_RATE: '1/m:2' } },
)
