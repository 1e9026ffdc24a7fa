import { decodeProtectedHeader } from 'jose'
import { afterAll, expect, it } from 'vitest'
import type { TokenRefusal } from '../../src/auth/token-refusal.ts'
import { drawToken, type TokenKind } from '../../src/crypto/token.ts'
import { AccessTokenFormat, AuthenticationMethod, ClientType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { ErrorReason, ErrorReasonSchema } from '../../src/gen/qscope/v1/error_reason_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { certificateAuthority, channelOf, LOCAL_NAMES, selfSigned, suiteFolder } from '../setup/certificates.ts'
import { type Connection, connect, refusalOf, type Sent } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'
import { errorToldBy, REASONS, REFUSALS } from '../setup/explained-refusals.ts'
import { grantsOn } from '../setup/grants.ts'

const { explainToken, introspectToken, mintToken, revokeToken, revokeTokens, verifyToken } = TokenService.method
const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const serving = ca.issue('server', LOCAL_NAMES)
const holder = selfSigned(folder, 'holder')

/** The audience of every token here. No stranger answers for it. */
const FOR_STOCK = { audiences: ['stock'] }

interface Shown {
  readonly token: string
  readonly ask?: {
    readonly audience?: string
    readonly requiredScopes?: string[]
    readonly presentedCertificateSha256?: string
  }
}

/** What is refused, and what the fix says: done, it leaves what is then accepted. */
interface Case extends Shown {
  readonly mend: () => Promise<Shown>
}

onEveryBackend(
  'ExplainToken',
  (server, database) => {
    const grants = grantsOn(server)
    const admin = () => ({ bearer: server.admin.token })
    const open: Connection[] = []
    afterAll(() => {
      for (const connection of open) connection.close()
    })
    const service = async (more: Parameters<typeof grants.serviceClient>[0] = {}) =>
      await grants.serviceClient({ ...FOR_STOCK, ...more })
    const revoke = (target: { readonly case: 'tokenId' | 'clientId' | 'userId'; readonly value: string }) =>
      server.call(revokeTokens, { target }, admin())
    const userOf = async (token: string) => (await grants.claimsOf(token))?.subject ?? ''
    const signIn = async (app: Awaited<ReturnType<typeof service>>, more: Parameters<typeof grants.signIn>[1] = {}) =>
      await grants.signIn(app, { ...FOR_STOCK, ...more })
    const webClient = async () => await grants.webClient(FOR_STOCK)
    const signedIn = async () => await signIn(await webClient())
    const mint = async (one: Awaited<ReturnType<typeof service>>, more: object = {}) =>
      await grants.mint(one, { ...FOR_STOCK, ...more })

    const minted = async (one: Awaited<ReturnType<typeof service>>, more: object = {}) => ({
      token: (await mint(one, more)).accessToken,
    })

    /** For each reason for which the log says that a token was refused: one that is, what its fix says, and what comes of doing so. */
    const cases = {
      unknown: [
        async () => ({ token: server.unknownToken(), mend: async () => await minted(await service()) }),
        /issued by this server/,
      ],
      expired: [
        async () => {
          const one = await service()
          const { accessToken } = await mint(one, { lifetime: { seconds: 1n } })
          server.clock.advance(2_000)
          return { token: accessToken, mend: () => minted(one) }
        },
        /Get a new token/,
      ],
      revoked: [
        async () => {
          const one = await service()
          const { accessToken, tokenId } = await mint(one)
          await revoke({ case: 'tokenId', value: tokenId })
          return { token: accessToken, mend: () => minted(one) }
        },
        /token\.revoked/,
      ],
      spent: [
        async () => {
          const app = await webClient()
          const { refreshToken } = await signIn(app)
          const latest = await grants.refresh(app, refreshToken)
          const mend = async () => ({ token: (await grants.refresh(app, latest.refreshToken)).accessToken })
          return { token: refreshToken, mend }
        },
        /latest answer/,
      ],
      grant_revoked: [
        async () => {
          const app = await webClient()
          const { accessToken, refreshToken } = await signIn(app)
          await server.call(revokeToken, { client: app.client, token: refreshToken })
          return { token: accessToken, mend: async () => ({ token: (await signIn(app)).accessToken }) }
        },
        /consent again/,
      ],
      signing_key_revoked: [
        async () => {
          const one = await service({ config: { accessTokenFormat: AccessTokenFormat.JWT } })
          const { accessToken } = await mint(one)
          const keyId = decodeProtectedHeader(accessToken).kid ?? ''
          await server.call(KeyService.method.revokeSigningKey, { keyId }, admin())
          return { token: accessToken, mend: () => minted(one) }
        },
        /signed with another key/,
      ],
      client_disabled: [
        async () => {
          const one = await service()
          const { token } = await minted(one)
          await server.call(ClientService.method.disableClient, { clientId: one.clientId }, admin())
          const mend = async () => {
            await server.call(ClientService.method.enableClient, { clientId: one.clientId }, admin())
            return { token }
          }
          return { token, mend }
        },
        /EnableClient/,
      ],
      client_tokens_revoked: [
        async () => {
          const one = await service()
          const { token } = await minted(one)
          await revoke({ case: 'clientId', value: one.clientId })
          return { token, mend: () => minted(one) }
        },
        /tokens\.revoked/,
      ],
      user_deactivated: [
        async () => {
          const { accessToken: token } = await signedIn()
          const userId = await userOf(token)
          await server.call(UserService.method.deactivateUser, { userId }, admin())
          const mend = async () => {
            await server.call(UserService.method.reactivateUser, { userId }, admin())
            return { token }
          }
          return { token, mend }
        },
        /ReactivateUser/,
      ],
      user_tokens_revoked: [
        async () => {
          const app = await webClient()
          const user = grants.newUser()
          const { accessToken } = await signIn(app, { user })
          await revoke({ case: 'userId', value: await userOf(accessToken) })
          return { token: accessToken, mend: async () => ({ token: (await signIn(app, { user })).accessToken }) }
        },
        /consent again/,
      ],
      ancestor_inactive: [
        async () => {
          const one = await service()
          const subject = await mint(one)
          const exchanged = async ({ accessToken }: { readonly accessToken: string }) => ({
            token: (await grants.exchangeToken(one, accessToken, FOR_STOCK)).accessToken,
          })
          const derived = await exchanged(subject)
          await revoke({ case: 'tokenId', value: subject.tokenId })
          return { ...derived, mend: async () => await exchanged(await mint(one)) }
        },
        /Exchange an active subject token/,
      ],
      not_an_access_token: [
        async () => {
          const { accessToken, refreshToken } = await signedIn()
          return { token: refreshToken, mend: async () => ({ token: accessToken }) }
        },
        /Present the access token/,
      ],
      wrong_audience: [
        async () => {
          const one = await service({ audiences: ['stock', 'shop'] })
          const ask = { audience: 'shop' }
          const { token } = await minted(one)
          return { token, ask, mend: async () => ({ ...(await minted(one, { audiences: ['shop'] })), ask }) }
        },
        /for this audience/,
      ],
      certificate_mismatch: [
        async () => {
          const { clientId } = await server.registerClient({
            ...FOR_STOCK,
            authenticationMethod: AuthenticationMethod.TLS_CLIENT,
            tlsClientSubject: `x5t#S256:${holder.thumbprint}`,
          })
          const connection = connect(server.address, { ownSocket: true, channel: channelOf(ca, holder) })
          open.push(connection)
          const answer = await connection.call(mintToken, { client: { clientId }, ...FOR_STOCK })
          const token = answer.token?.accessToken ?? ''
          return { token, mend: async () => ({ token, ask: { presentedCertificateSha256: holder.thumbprint } }) }
        },
        /presented_certificate_sha256/,
      ],
      missing_scope: [
        async () => {
          const one = await service()
          const scopes = ['orders.read', 'orders.delete']
          const ask = { requiredScopes: scopes }
          const mend = async () => {
            await server.call(
              ClientService.method.updateClient,
              { client: { clientId: one.clientId, scopes } },
              admin(),
            )
            return { ...(await minted(one)), ask }
          }
          return { ...(await minted(one)), ask, mend }
        },
        /missing scopes/,
      ],
      // A refresh token never outlives its grant, so that it has expired itself by then; who may not see one is told in another suite.
    } as const satisfies Record<
      Exclude<TokenRefusal, 'grant_expired' | 'not_visible'>,
      readonly [() => Promise<Case>, RegExp]
    >

    it.each(Object.entries(cases))(
      'names the failing check and a working remedy, without spending or writing anything: %s',
      async (reason, [make, fix]) => {
        const { token, ask = {}, mend }: Case = await make()
        const refused = await refusalOf(server.call(verifyToken, { token, ...ask }, admin()))
        const introspected = await server.call(introspectToken, { token }, admin())
        await server.flush()
        const before = await dump(database)
        const { verdict, checks, errorReason } = await server.call(explainToken, { token, ...ask }, admin())
        await server.flush()
        expect(await dump(database)).toBe(before)
        expect(verdict).toBe(reason === 'unknown' ? Verdict.UNKNOWN : Verdict.REFUSED)
        const { check: name, introspect } = REASONS[reason as keyof typeof cases]
        expect(refused.reason).toBe(errorToldBy('verify', name))
        expect(ErrorReasonSchema.value[errorReason]?.localName).toBe(refused.reason)
        expect(introspected.active ? 'active' : 'inactive').toBe(introspect)
        expect(checks.at(-1)).toMatchObject({ name, passed: false, fix: expect.stringMatching(fix) })
        expect(checks.at(-1)?.detail).not.toBe('')
        expect(checks.slice(0, -1).filter((check) => !check.passed || check.fix !== '')).toEqual([])
        expect(JSON.stringify(checks)).not.toContain(token)
        const { token: mended, ask: asked = {} } = await mend()
        const { claims } = await server.call(verifyToken, { token: mended, ...asked }, admin())
        expect(claims?.tokenId).not.toBe('')
        const explained = await server.call(explainToken, { token: mended, ...asked }, admin())
        expect([explained.verdict, explained.errorReason]).toEqual([Verdict.ACCEPTED, ErrorReason.UNSPECIFIED])
      },
    )

    it.each(Object.entries(cases))(
      'tells a client that may not see the token only what IntrospectToken tells it: %s',
      async (_reason, [make]) => {
        const { token, ask = {} }: Case = await make()
        const { client } = await server.registerClient({})
        const introspected = await server.call(introspectToken, { client, token })
        expect(introspected.active ? 'active' : 'inactive').toBe(REASONS.not_visible.introspect)
        const explain = (shown: string) => server.call(explainToken, { client, token: shown, ...ask })
        expect((await explain(token)).verdict).toBe(Verdict.UNKNOWN)
        expect(await explain(token)).toEqual(await explain(server.unknownToken()))
      },
    )

    it('refuses a caller with the same error as IntrospectToken', async () => {
      const { clientId } = await server.registerClient({ type: ClientType.PUBLIC, grantTypes: [] })
      const one = await server.registerClient({ scopes: ['orders.read'] })
      const { accessToken: bearer } = await grants.mint(one)
      const wrong = { clientId: one.clientId, method: { case: 'clientSecret' as const, value: 'wrong' } }
      const token = server.unknownToken()
      const calls: readonly (readonly [object, Sent])[] = [
        [{ token, client: one.client }, { basic: [one.clientId, one.clientSecret] }],
        [{ token, client: wrong }, {}],
        [{ token, client: { clientId } }, {}],
        [{ token }, { bearer }],
      ]
      const returned: string[] = []
      for (const [request, sent] of calls) {
        const { reason } = await refusalOf(server.call(introspectToken, request, sent))
        expect((await refusalOf(server.call(explainToken, request, sent))).reason).toBe(reason)
        returned.push(reason)
      }
      // The rates of failed authentications have tests of their own.
      expect([...returned, 'LIMIT_EXCEEDED'].sort()).toEqual(
        Object.entries(REFUSALS)
          .flatMap(([code, { introspect }]) =>
            introspect === 'caller' ? [code.toUpperCase().replaceAll('.', '_')] : [],
          )
          .sort(),
      )
    })

    it.each<[TokenKind, string, RegExp]>([
      ['device_code', 'it is a device code, which is not a token', /failed condition in the line with the ray id/],
      ['authorization_code', 'it is an authorization code, which is not a token', /failed condition/],
      ['client_secret', 'it is a client secret, which is not a token', /RotateClientSecret/],
      [
        'access',
        'it is not a token of this server, was deleted after it had expired, or you may not see it',
        /complete/,
      ],
    ])('says what an unknown value of the kind %s is', async (kind, detail, fix) => {
      const { verdict, checks, errorReason } = await server.call(explainToken, { token: drawToken(kind) }, admin())
      expect([verdict, errorReason]).toEqual([Verdict.UNKNOWN, ErrorReason.OAUTH_INVALID_TOKEN])
      expect(checks).toMatchObject([{ name: 'token_is_known', passed: false, detail, fix: expect.stringMatching(fix) }])
    })

    it('lists the passed checks of an accepted token, in the order of VerifyToken', async () => {
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

    it('writes nothing and does not spend a refresh token', async () => {
      const app = await grants.webClient()
      const { refreshToken } = await grants.signIn(app)
      const before = (await server.auditEvents({})).length
      await server.call(explainToken, { token: refreshToken }, admin())
      expect((await server.auditEvents({})).length).toBe(before)
      expect((await grants.refresh(app, refreshToken)).accessToken).not.toBe('')
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
