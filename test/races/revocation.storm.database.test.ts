import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { type Tokens, tokensOf } from '../setup/grants.ts'
import { scaled } from '../setup/scale.ts'
import { answersOf, gatherCrowd, outcomeOf, reasonsOf } from './crowd.ts'
import { eventsOf, givenGrants, type Registered } from './given.ts'

const { exchangeAuthorizationCode, exchangeToken, listTokens, mintToken, refreshToken, revokeToken, revokeTokens } =
  TokenService.method

const ROUNDS = scaled(40, 2)
const CALLERS = 20
const TIMEOUT_MS = 10_000 + ROUNDS * 3_000
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

onEveryBackend('revocation under way', (server) => {
  const given = givenGrants(server)
  const crowd = gatherCrowd(server)

  /** The target of `RevokeTokens` that is a token's client, user, grant or itself. */
  async function targetsOf({ clientId }: Registered, { tokenId }: Tokens) {
    const { tokens } = await server.call(listTokens, { clientId }, given.bearer())
    const { userId = '', grantId = '' } = tokens.find((token) => token.tokenId === tokenId) ?? {}
    return {
      token: { case: 'tokenId', value: tokenId },
      grant: { case: 'grantId', value: grantId },
      user: { case: 'userId', value: userId },
      client: { case: 'clientId', value: clientId },
    } as const
  }

  /** Ends something on which a family depends; resolves when that has ended. */
  type End = (owner: Registered, family: Tokens) => Promise<unknown>
  const ends: Record<string, End> = {
    'its token is revoked by its client': ({ client }, { accessToken: token }) =>
      crowd.call(revokeToken, { client, token }),
    'its family is revoked by its client': ({ client }, { refreshToken: token }) =>
      crowd.call(revokeToken, { client, token }),
    'its token is revoked by handle': async (owner, family) => {
      const { token } = await targetsOf(owner, family)
      return await crowd.call(revokeTokens, { target: token }, given.bearer())
    },
    'its grant is revoked': async (owner, family) => {
      const { grant } = await targetsOf(owner, family)
      return await crowd.call(revokeTokens, { target: grant }, given.bearer())
    },
    'all of its user is revoked': async (owner, family) => {
      const { user } = await targetsOf(owner, family)
      return await crowd.call(revokeTokens, { target: user }, given.bearer())
    },
    'all of its client is revoked': async (owner, family) => {
      const { client } = await targetsOf(owner, family)
      return await crowd.call(revokeTokens, { target: client }, given.bearer())
    },
    'its user is deactivated': async (owner, family) => {
      const { user } = await targetsOf(owner, family)
      return await crowd.call(UserService.method.deactivateUser, { userId: user.value }, given.bearer())
    },
    'its user is deleted': async (owner, family) => {
      const { user } = await targetsOf(owner, family)
      return await crowd.call(UserService.method.deleteUser, { userId: user.value }, given.bearer())
    },
    'its client is disabled': ({ clientId }) =>
      crowd.call(ClientService.method.disableClient, { clientId }, given.bearer()),
  }

  describe('a token exchange', () => {
    it.each(Object.entries(ends))('gives nothing that is active when %s', { timeout: TIMEOUT_MS }, async (_, end) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const owner = await given.client()
        const service = await given.client()
        const family = await given.family(owner)
        const request = { client: service.client, subjectToken: family.accessToken, subjectTokenType: ACCESS_TOKEN }
        let over = false
        const exchanging = crowd.rush(CALLERS, async () => {
          const derived: string[] = []
          while (!over) {
            const { answer, refused } = await outcomeOf(crowd.call(exchangeToken, request))
            if (refused !== null) expect(refused.reason).toBe('OAUTH_INVALID_REQUEST')
            else derived.push(answer.token?.accessToken ?? '')
          }
          return derived
        })
        await sleep(Math.random() * 20)
        await end(owner, family)
        // From here on no token may be active, including those in answers that are still in transit.
        const { tokens } = await server.call(
          listTokens,
          { clientId: service.clientId, activeOnly: true, pageSize: 1_000 },
          given.bearer(),
        )
        expect(tokens).toEqual([])
        over = true
        const derived = answersOf(await exchanging).flat()
        const active = await server.introspectAll(service.client, [family.accessToken, ...derived].slice(-1_000))
        expect(active).not.toContain(true)
        expect((await refusalOf(server.call(exchangeToken, request))).reason).toBe('OAUTH_INVALID_REQUEST')
        const recorded = (await eventsOf(server, service.clientId))['token.exchanged'] ?? 0
        expect(recorded).toBe(derived.length)
      }
    })
  })

  describe('a refresh', () => {
    const { 'its token is revoked by its client': _one, 'its token is revoked by handle': _two, ...whole } = ends

    it.each(Object.entries(whole))('gives nothing that is active when %s', { timeout: TIMEOUT_MS }, async (_, end) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const owner = await given.client()
        const family = await given.family(owner)
        let over = false
        const issued: Tokens[] = []
        const refreshing = (async () => {
          for (let current = family; !over; ) {
            const request = { client: owner.client, refreshToken: current.refreshToken }
            const outcomes = await crowd.rush(3, () => crowd.call(refreshToken, request))
            const got = answersOf(outcomes).map(({ token }) => tokensOf(token))
            issued.push(...got)
            const refusals = Object.keys(reasonsOf(outcomes))
            for (const reason of refusals) expect(reason).toMatch(/^OAUTH_INVALID_(GRANT|CLIENT)$/)
            current = got[0] ?? current
            if (refusals.length > 0 && got.length === 0) return
          }
        })()
        await sleep(Math.random() * 20)
        await end(owner, family)
        over = true
        await refreshing
        const { tokens } = await server.call(
          listTokens,
          { clientId: owner.clientId, activeOnly: true, pageSize: 1_000 },
          given.bearer(),
        )
        expect(tokens).toEqual([])
        const last = issued.at(-1) ?? family
        const next = await refusalOf(
          server.call(refreshToken, { client: owner.client, refreshToken: last.refreshToken }),
        )
        expect(next.reason).toMatch(/^OAUTH_INVALID_(GRANT|CLIENT)$/)
        const events = await eventsOf(server, owner.clientId)
        expect(events['token.refreshed'] ?? 0).toBe(new Set(issued.map(({ accessToken }) => accessToken)).size)
        expect(events).not.toHaveProperty('refresh_token.reused')
      }
    })
  })

  describe('a code', () => {
    const { 'all of its user is revoked': user, 'all of its client is revoked': client, ...others } = ends
    const { 'its user is deactivated': deactivated, 'its client is disabled': disabled } = others

    it.each(Object.entries({ user, client, deactivated, disabled }))(
      'gives nothing that is active when it is ended through %s',
      { timeout: TIMEOUT_MS },
      async (_, end) => {
        for (let round = 0; round < ROUNDS; round += 1) {
          const owner = await given.client()
          const externalId = server.unique('user-')
          const family = await given.family(owner, externalId)
          const codes = await Promise.all(Array.from({ length: CALLERS }, () => given.code(owner, externalId)))
          if (end === undefined) throw new Error('no such end')
          const [outcomes] = await Promise.all([
            crowd.rush(CALLERS, async (index) => {
              await sleep(Math.random() * 20)
              return await crowd.call(exchangeAuthorizationCode, codes[index] ?? {})
            }),
            sleep(Math.random() * 15).then(() => end(owner, family)),
          ])
          for (const reason of Object.keys(reasonsOf(outcomes))) {
            expect(reason).toMatch(/^OAUTH_INVALID_(GRANT|CLIENT)$/)
          }
          const { tokens } = await server.call(
            listTokens,
            { clientId: owner.clientId, activeOnly: true, pageSize: 1_000 },
            given.bearer(),
          )
          expect(tokens).toEqual([])
        }
      },
    )
  })

  describe('everything of a client', () => {
    it('ends what was minted before, and nothing of what is minted after', { timeout: TIMEOUT_MS }, async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const owner = await given.client()
        const mint = async () => (await crowd.call(mintToken, { client: owner.client })).token?.accessToken ?? ''
        const before: string[] = []
        const after: string[] = []
        let state: 'before' | 'during' | 'after' = 'before'
        let enough = false
        const minting = crowd.rush(CALLERS, async () => {
          while (!enough) {
            const begun = state
            const token = await mint()
            if (begun === 'after') after.push(token)
            else if (state === 'before') before.push(token)
          }
        })
        await sleep(10)
        state = 'during'
        const target = { case: 'clientId' as const, value: owner.clientId }
        await crowd.call(revokeTokens, { target }, given.bearer())
        state = 'after'
        await sleep(10)
        enough = true
        await minting
        if (before.length > 0) {
          expect(await server.introspectAll(owner.client, before.slice(-1_000))).not.toContain(true)
        }
        after.push(await mint())
        expect(await server.introspectAll(owner.client, after.slice(-1_000))).not.toContain(false)
      }
    })
  })
})
