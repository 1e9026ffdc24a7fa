import { toBinary } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { AccessTokenFormat, ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { ErrorReason } from '../../src/gen/qscope/v1/error_reason_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import {
  ExplainTokenResponseSchema,
  IntrospectTokenResponseSchema,
  TokenService,
} from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { type Refused, refusalOf, type Sent } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import { IMPOSSIBLE_TOKENS } from '../setup/impossible-tokens.ts'

const { explainToken, introspectToken, revokeTokens } = TokenService.method
const { disableClient, explainMint } = ClientService.method

onEveryBackend(
  'ExplainToken to a client',
  (server) => {
    const grants = grantsOn(server)
    const admin = () => ({ bearer: server.admin.token })
    const service = async (more: Parameters<typeof grants.serviceClient>[0] = {}) =>
      await grants.serviceClient({ audiences: ['stock'], ...more })
    const revoke = (target: { readonly case: 'tokenId' | 'clientId' | 'userId'; readonly value: string }) =>
      server.call(revokeTokens, { target }, admin())
    const userOf = async (token: string) => (await grants.claimsOf(token))?.subject ?? ''
    const explainTo = async (client: object, token: string, ask: object = {}) =>
      await server.call(explainToken, { client, token, ...ask })

    /** Tokens of others for others, in each state that they can be in. */
    async function foreignTokens(): Promise<readonly string[]> {
      const web = await grants.webClient({ audiences: ['stock'] })
      const signIn = async () => await grants.signIn(web, { audiences: ['stock'] })
      const mint = async (one: Awaited<ReturnType<typeof service>>, more: object = {}) =>
        await grants.mint(one, { audiences: ['stock'], ...more })
      const one = await service()
      const [expired, revoked, active] = [
        await mint(one, { lifetime: { seconds: 1n } }),
        await mint(one),
        await mint(one),
      ]
      const derived = await grants.exchangeToken(one, revoked.accessToken, { audiences: ['stock'] })
      await revoke({ case: 'tokenId', value: revoked.tokenId })
      const [good, spent, gone, shut] = [await signIn(), await signIn(), await signIn(), await signIn()]
      await grants.refresh(web, spent.refreshToken)
      await server.call(UserService.method.deactivateUser, { userId: await userOf(gone.accessToken) }, admin())
      await revoke({ case: 'userId', value: await userOf(shut.accessToken) })
      const jwt = await mint(await service({ config: { accessTokenFormat: AccessTokenFormat.JWT } }))
      const off = await service()
      const disabled = await mint(off)
      await server.call(disableClient, { clientId: off.clientId }, admin())
      server.clock.advance(2_000)
      return [
        ...[active, expired, revoked, derived, jwt, disabled].map(({ accessToken }) => accessToken),
        ...[good, spent, gone, shut].flatMap(({ accessToken, refreshToken }) => [accessToken, refreshToken]),
        `${jwt.accessToken.slice(0, -4)}AAAA`,
      ]
    }

    const unknownTokens = () => [server.unknownToken(), 'garbage', '', ...IMPOSSIBLE_TOKENS]

    it('reports verdict, expiry, audience and scopes of its own tokens', async () => {
      const one = await service()
      const { accessToken } = await grants.mint(one, { audiences: ['stock'] })
      const { verdict, checks } = await explainTo(one.client, accessToken, { requiredScopes: ['orders.read'] })
      expect(verdict).toBe(Verdict.ACCEPTED)
      expect(checks.map(({ name }) => name)).toEqual([
        'token_is_known',
        'token_is_unexpired',
        'token_is_in_force',
        'token_is_access_token',
        'token_is_for_audience',
        'bearer_holds_certificate',
        'token_has_scopes',
      ])
    })

    it('gives one reason for everything that may have ended a token early', async () => {
      const told: string[] = []
      const api = await server.registerClient({ resourceAudiences: [server.unique('https://api.example/')] })
      const app = await grants.webClient()
      const own = await service()
      const made = [
        async () => (await grants.signIn(app)).accessToken,
        async () => (await grants.signIn(app)).accessToken,
        async () => (await grants.mint(own)).accessToken,
        async () => (await grants.exchangeToken(own, (await grants.mint(own)).accessToken)).accessToken,
      ]
      const [grant, user, client, exchanged] = await Promise.all(made.map((make) => make()))
      const claims = await grants.claimsOf(user ?? '')
      const ancestor = await grants.mint(own)
      const derived = await grants.exchangeToken(own, ancestor.accessToken)
      await revoke({ case: 'tokenId', value: ancestor.tokenId })
      await server.call(UserService.method.deactivateUser, { userId: claims?.subject ?? '' }, admin())
      await revoke({ case: 'userId', value: await userOf(grant ?? '') })
      await revoke({ case: 'clientId', value: own.clientId })
      for (const token of [grant, user, client, exchanged, derived.accessToken]) {
        const { verdict, checks, errorReason } = await explainTo(api.client, token ?? '')
        expect([verdict, errorReason]).toEqual([Verdict.REFUSED, ErrorReason.OAUTH_INVALID_TOKEN])
        expect(checks.map(({ name, passed }) => [name, passed])).toEqual([
          ['token_is_known', true],
          ['token_is_unexpired', true],
          ['token_is_in_force', false],
        ])
        told.push(JSON.stringify(checks.at(-1)))
      }
      expect(new Set(told).size).toBe(1)
    })

    it('tells other clients as much as introspection: nothing, byte for byte', async () => {
      const stranger = await server.registerClient({})
      const tokens = [...(await foreignTokens()), ...unknownTokens()]
      const asked = { requiredScopes: ['orders.read'], audience: 'stock', presentedCertificateSha256: 'x'.repeat(43) }
      for (const ask of [{}, asked]) {
        const explained = new Set<string>()
        const introspected = new Set<string>()
        for (const token of tokens) {
          const answer = await explainTo(stranger.client, token, ask)
          expect(answer).toMatchObject({ verdict: Verdict.UNKNOWN, errorReason: ErrorReason.OAUTH_INVALID_TOKEN })
          explained.add(Buffer.from(toBinary(ExplainTokenResponseSchema, answer)).toString('hex'))
          const active = await server.call(introspectToken, { client: stranger.client, token })
          introspected.add(Buffer.from(toBinary(IntrospectTokenResponseSchema, active)).toString('hex'))
        }
        expect([explained.size, introspected.size]).toEqual([1, 1])
      }
    })

    it('refuses unauthorized callers with the same message for every token', async () => {
      const { clientId } = await server.registerClient({ type: ClientType.PUBLIC, grantTypes: [] })
      const reader = await server.registerClient({ scopes: ['qscope:clients.read'] })
      const { accessToken: bearer } = await grants.mint(reader)
      const wrong = { clientId: reader.clientId, method: { case: 'clientSecret' as const, value: 'wrong' } }
      const callers: readonly (readonly [object, Sent, string])[] = [
        [{ client: { clientId } }, {}, 'OAUTH_UNAUTHORIZED_CLIENT'],
        [{ client: wrong }, {}, 'OAUTH_INVALID_CLIENT'],
        [{}, { bearer }, 'OAUTH_INSUFFICIENT_SCOPE'],
        [{}, {}, 'OAUTH_INVALID_CLIENT'],
      ]
      const tokens = [...(await foreignTokens()), ...unknownTokens()]
      for (const [who, sent, reason] of callers) {
        const refusals: Refused[] = []
        for (const token of tokens) refusals.push(await refusalOf(server.call(explainToken, { ...who, token }, sent)))
        expect(new Set(refusals.map(toldBy)).size).toBe(1)
        expect(refusals[0]?.reason).toBe(reason)
      }
    })

    it('refuses unauthorized callers with the same message for existing and missing clients', async () => {
      const { clientId, client } = await service()
      const { accessToken: bearer } = await grants.mint(await server.registerClient({ scopes: ['qscope:tokens.read'] }))
      const basic = [clientId, client.method.value] as const
      for (const sent of [{}, { bearer }, { basic }]) {
        const refusals: Refused[] = []
        for (const id of [clientId, 'nobody-here']) {
          const question = { clientId: id, grantType: GrantType.CLIENT_CREDENTIALS }
          refusals.push(await refusalOf(server.call(explainMint, question, sent)))
        }
        expect(new Set(refusals.map(toldBy)).size).toBe(1)
      }
    })

    it('accepts exactly the tokens that are active in introspection', async () => {
      const one = await service()
      const other = await server.registerClient({})
      const tokens = [
        (await grants.mint(one)).accessToken,
        (await grants.mint(one, { audiences: ['stock'] })).accessToken,
        server.unknownToken(),
      ]
      for (const client of [one.client, other.client]) {
        for (const token of tokens) {
          const { active } = await server.call(introspectToken, { client, token })
          const { verdict } = await explainTo(client, token)
          expect(verdict === Verdict.ACCEPTED).toBe(active)
        }
      }
    })
  },
  { variables: LIMITS_OFF },
)

/** Everything that a refusal says but the id of its call. */
function toldBy({ message, status, metadata, violations, details: { info, help } }: Refused): string {
  return JSON.stringify([message, status, metadata, violations, info, help])
}
