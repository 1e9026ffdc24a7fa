import { decodeProtectedHeader } from 'jose'
import { afterAll, describe, expect, it } from 'vitest'
import type { TokenRefusal } from '../../src/auth/token-refusal.ts'
import { AccessTokenFormat, AuthenticationMethod, ClientType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { ErrorReason, ErrorReasonSchema } from '../../src/gen/qscope/v1/error_reason_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { certificateAuthority, channelOf, LOCAL_NAMES, selfSigned, suiteFolder } from '../setup/certificates.ts'
import { type Connection, connect, refusalOf } from '../setup/client.ts'
import { grantsOn } from '../setup/grants.ts'
import { IMPOSSIBLE_TOKENS } from '../setup/impossible-tokens.ts'

const { explainToken, introspectToken, mintToken, revokeToken, revokeTokens, verifyToken } = TokenService.method
const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const serving = ca.issue('server', LOCAL_NAMES)
const holder = selfSigned(folder, 'holder')

interface Case {
  readonly token: string
  readonly ask?: { readonly audience?: string; readonly requiredScopes?: string[] }
}

onEveryBackend(
  'ExplainToken',
  (server) => {
    const grants = grantsOn(server)
    const admin = () => ({ bearer: server.admin.token })
    const open: Connection[] = []
    afterAll(() => {
      for (const connection of open) connection.close()
    })
    const service = async (more: Parameters<typeof grants.serviceClient>[0] = {}) =>
      await grants.serviceClient({ audiences: ['stock'], ...more })
    const revoke = (target: { readonly case: 'tokenId' | 'clientId' | 'userId'; readonly value: string }) =>
      server.call(revokeTokens, { target }, admin())
    const userOf = async (token: string) => (await grants.claimsOf(token))?.subject ?? ''
    const signedIn = async () => await grants.signIn(await grants.webClient())

    /** For each reason for which the log says that a token was refused: one that is, the check that fails, and its mend. */
    const cases = {
      unknown: [async () => ({ token: server.unknownToken() }), 'token_is_known', /issued by this server/],
      expired: [
        async () => {
          const { accessToken } = await grants.mint(await service(), { lifetime: { seconds: 1n } })
          server.clock.advance(2_000)
          return { token: accessToken }
        },
        'token_is_unexpired',
        /Get a new token/,
      ],
      revoked: [
        async () => {
          const { accessToken, tokenId } = await grants.mint(await service())
          await revoke({ case: 'tokenId', value: tokenId })
          return { token: accessToken }
        },
        'token_is_unrevoked',
        /token\.revoked/,
      ],
      spent: [
        async () => {
          const app = await grants.webClient()
          const { refreshToken } = await grants.signIn(app)
          await grants.refresh(app, refreshToken)
          return { token: refreshToken }
        },
        'refresh_token_is_unspent',
        /latest answer/,
      ],
      grant_revoked: [
        async () => {
          const app = await grants.webClient()
          const { accessToken, refreshToken } = await grants.signIn(app)
          await server.call(revokeToken, { client: app.client, token: refreshToken })
          return { token: accessToken }
        },
        'grant_is_unrevoked',
        /consent again/,
      ],
      signing_key_revoked: [
        async () => {
          const { accessToken } = await grants.mint(
            await service({ config: { accessTokenFormat: AccessTokenFormat.JWT } }),
          )
          const keyId = decodeProtectedHeader(accessToken).kid ?? ''
          await server.call(KeyService.method.revokeSigningKey, { keyId }, admin())
          return { token: accessToken }
        },
        'signing_key_is_unrevoked',
        /another key signs/,
      ],
      client_disabled: [
        async () => {
          const one = await service()
          const { accessToken } = await grants.mint(one)
          await server.call(ClientService.method.disableClient, { clientId: one.clientId }, admin())
          return { token: accessToken }
        },
        'client_is_enabled',
        /EnableClient/,
      ],
      client_tokens_revoked: [
        async () => {
          const one = await service()
          const { accessToken } = await grants.mint(one)
          await revoke({ case: 'clientId', value: one.clientId })
          return { token: accessToken }
        },
        'client_tokens_are_unrevoked',
        /tokens\.revoked/,
      ],
      user_deactivated: [
        async () => {
          const { accessToken } = await signedIn()
          await server.call(UserService.method.deactivateUser, { userId: await userOf(accessToken) }, admin())
          return { token: accessToken }
        },
        'user_is_active',
        /ReactivateUser/,
      ],
      user_tokens_revoked: [
        async () => {
          const { accessToken } = await signedIn()
          await revoke({ case: 'userId', value: await userOf(accessToken) })
          return { token: accessToken }
        },
        'user_tokens_are_unrevoked',
        /consent again/,
      ],
      ancestor_inactive: [
        async () => {
          const one = await service()
          const subject = await grants.mint(one)
          const { accessToken } = await grants.exchangeToken(one, subject.accessToken)
          await revoke({ case: 'tokenId', value: subject.tokenId })
          return { token: accessToken }
        },
        'exchanged_tokens_are_active',
        /Exchange a subject token/,
      ],
      not_an_access_token: [
        async () => ({ token: (await signedIn()).refreshToken }),
        'token_is_access_token',
        /Present the access token/,
      ],
      wrong_audience: [
        async () => {
          const { accessToken } = await grants.mint(await service(), { audiences: ['stock'] })
          return { token: accessToken, ask: { audience: 'shop' } }
        },
        'token_is_for_audience',
        /for this audience/,
      ],
      certificate_mismatch: [
        async () => {
          const { clientId } = await server.registerClient({
            authenticationMethod: AuthenticationMethod.TLS_CLIENT,
            tlsClientSubject: `x5t#S256:${holder.thumbprint}`,
          })
          const connection = connect(server.address, { ownSocket: true, channel: channelOf(ca, holder) })
          open.push(connection)
          const { token } = await connection.call(mintToken, { client: { clientId } })
          return { token: token?.accessToken ?? '' }
        },
        'bearer_holds_certificate',
        /presented_certificate_sha256/,
      ],
      missing_scope: [
        async () => ({
          token: (await grants.mint(await service())).accessToken,
          ask: { requiredScopes: ['orders.read', 'orders.delete'] },
        }),
        'token_has_scopes',
        /missing scopes/,
      ],
      // A refresh token never outlives its grant, so that it has expired itself by then; who may not see one is below.
    } as const satisfies Record<
      Exclude<TokenRefusal, 'grant_expired' | 'not_visible'>,
      readonly [() => Promise<Case>, string, RegExp]
    >

    it.each(Object.entries(cases))(
      'names the check that fails, and its mend: %s',
      async (reason, [make, name, fix]) => {
        const { token, ask = {} }: Case = await make()
        const refused = await refusalOf(server.call(verifyToken, { token, ...ask }, admin()))
        const { verdict, checks, errorReason } = await server.call(explainToken, { token, ...ask }, admin())
        expect(verdict).toBe(reason === 'unknown' ? Verdict.UNKNOWN : Verdict.REFUSED)
        expect(refused.reason).toBe(ErrorReasonSchema.value[errorReason]?.localName)
        expect(checks.at(-1)).toMatchObject({ name, passed: false, fix: expect.stringMatching(fix) })
        expect(checks.at(-1)?.detail).not.toBe('')
        expect(checks.slice(0, -1).filter((check) => !check.passed || check.fix !== '')).toEqual([])
        expect(JSON.stringify(checks)).not.toContain(token)
      },
    )

    it('tells what holds of a token that is accepted, in the order of VerifyToken', async () => {
      const one = await service()
      const { accessToken: token } = await grants.mint(one, { audiences: ['stock'] })
      const ask = { token, audience: 'stock', requiredScopes: ['orders.read'] }
      const { verdict, checks, errorReason } = await server.call(explainToken, ask, admin())
      expect([verdict, errorReason]).toEqual([Verdict.ACCEPTED, ErrorReason.UNSPECIFIED])
      expect(checks.map(({ name }) => name)).toEqual([
        'token_is_known',
        'token_is_unexpired',
        'token_is_unrevoked',
        'client_is_enabled',
        'client_tokens_are_unrevoked',
        'token_is_access_token',
        'token_is_for_audience',
        'bearer_holds_certificate',
        'token_has_scopes',
      ])
      expect(checks.every(({ passed, fix }) => passed && fix === '')).toBe(true)
    })

    it('leaves no trace: nothing is written, and a refresh token is not spent', async () => {
      const app = await grants.webClient()
      const { refreshToken } = await grants.signIn(app)
      const before = (await server.auditEvents({})).length
      await server.call(explainToken, { token: refreshToken }, admin())
      expect((await server.auditEvents({})).length).toBe(before)
      expect((await grants.refresh(app, refreshToken)).accessToken).not.toBe('')
    })

    describe('to a client', () => {
      const explainTo = async (client: object, token: string, ask: object = {}) =>
        await server.call(explainToken, { client, token, ...ask })

      it('tells verdict, expiry, audience and scopes of its own', async () => {
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

      it('tells one thing of all that may have ended a token before its time', async () => {
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

      it('tells of what is not its to see exactly what it tells of what does not exist', async () => {
        const stranger = await server.registerClient({})
        const one = await service()
        const own = await grants.mint(one, { audiences: ['stock'] })
        const ended = await grants.mint(one, { audiences: ['stock'] })
        await revoke({ case: 'tokenId', value: ended.tokenId })
        const { refreshToken } = await signedIn()
        const foreign = [own.accessToken, ended.accessToken, refreshToken]
        const unknown = [server.unknownToken(), 'garbage', '', ...IMPOSSIBLE_TOKENS]
        const answers = await Promise.all(
          [...foreign, ...unknown].map((token) =>
            explainTo(stranger.client, token, { requiredScopes: ['x'], audience: 'stock' }),
          ),
        )
        expect(answers[0]).toMatchObject({ verdict: Verdict.UNKNOWN, errorReason: ErrorReason.OAUTH_INVALID_TOKEN })
        for (const answer of answers) expect(answer).toEqual(answers[0])
      })

      it('says accepted of exactly what introspection says active of', async () => {
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

      it('is refused to a public one, and to a bearer without qscope:tokens.read', async () => {
        const { clientId } = await server.registerClient({ type: ClientType.PUBLIC, grantTypes: [] })
        const token = server.unknownToken()
        expect((await refusalOf(explainTo({ clientId }, token))).reason).toBe('OAUTH_UNAUTHORIZED_CLIENT')
        const reader = await server.registerClient({ scopes: ['qscope:clients.read'] })
        const { accessToken: bearer } = await grants.mint(reader)
        expect((await refusalOf(server.call(explainToken, { token }, { bearer }))).reason).toBe(
          'OAUTH_INSUFFICIENT_SCOPE',
        )
        expect((await refusalOf(server.call(explainToken, { token }))).reason).toBe('OAUTH_INVALID_CLIENT')
      })
    })
  },
  {
    channel: channelOf(ca),
    variables: {
      QSCOPE_TLS_CERT_FILE: serving.certFile,
      QSCOPE_TLS_KEY_FILE: serving.keyFile,
      QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile,
    },
  },
)
