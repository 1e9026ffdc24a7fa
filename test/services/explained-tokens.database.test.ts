import { decodeProtectedHeader } from 'jose'
import { afterAll, expect, it } from 'vitest'
import type { TokenRefusal } from '../../src/auth/token-refusal.ts'
import { AccessTokenFormat, AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { ErrorReason, ErrorReasonSchema } from '../../src/gen/qscope/v1/error_reason_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { certificateAuthority, channelOf, LOCAL_NAMES, selfSigned, suiteFolder } from '../setup/certificates.ts'
import { type Connection, connect, refusalOf } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'
import { errorToldBy, REASONS } from '../setup/explained-refusals.ts'
import { grantsOn } from '../setup/grants.ts'

const { explainToken, introspectToken, mintToken, revokeToken, revokeTokens, verifyToken } = TokenService.method
const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const serving = ca.issue('server', LOCAL_NAMES)
const holder = selfSigned(folder, 'holder')

/** The checks that `VerifyToken` alone makes. */
const VERIFIED_ONLY: ReadonlySet<string> = new Set([
  'token_is_access_token',
  'token_is_for_audience',
  'bearer_holds_certificate',
  'token_has_scopes',
])

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
      await grants.serviceClient({ audiences: ['stock'], ...more })
    const revoke = (target: { readonly case: 'tokenId' | 'clientId' | 'userId'; readonly value: string }) =>
      server.call(revokeTokens, { target }, admin())
    const userOf = async (token: string) => (await grants.claimsOf(token))?.subject ?? ''
    const signedIn = async () => await grants.signIn(await grants.webClient())

    const minted = async (one: Awaited<ReturnType<typeof service>>, more: object = {}) => ({
      token: (await grants.mint(one, more)).accessToken,
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
          const { accessToken } = await grants.mint(one, { lifetime: { seconds: 1n } })
          server.clock.advance(2_000)
          return { token: accessToken, mend: () => minted(one) }
        },
        /Get a new token/,
      ],
      revoked: [
        async () => {
          const one = await service()
          const { accessToken, tokenId } = await grants.mint(one)
          await revoke({ case: 'tokenId', value: tokenId })
          return { token: accessToken, mend: () => minted(one) }
        },
        /token\.revoked/,
      ],
      spent: [
        async () => {
          const app = await grants.webClient()
          const { refreshToken } = await grants.signIn(app)
          const latest = await grants.refresh(app, refreshToken)
          const mend = async () => ({ token: (await grants.refresh(app, latest.refreshToken)).accessToken })
          return { token: refreshToken, mend }
        },
        /latest answer/,
      ],
      grant_revoked: [
        async () => {
          const app = await grants.webClient()
          const { accessToken, refreshToken } = await grants.signIn(app)
          await server.call(revokeToken, { client: app.client, token: refreshToken })
          return { token: accessToken, mend: async () => ({ token: (await grants.signIn(app)).accessToken }) }
        },
        /consent again/,
      ],
      signing_key_revoked: [
        async () => {
          const one = await service({ config: { accessTokenFormat: AccessTokenFormat.JWT } })
          const { accessToken } = await grants.mint(one)
          const keyId = decodeProtectedHeader(accessToken).kid ?? ''
          await server.call(KeyService.method.revokeSigningKey, { keyId }, admin())
          return { token: accessToken, mend: () => minted(one) }
        },
        /another key signs/,
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
          const app = await grants.webClient()
          const user = grants.newUser()
          const { accessToken } = await grants.signIn(app, { user })
          await revoke({ case: 'userId', value: await userOf(accessToken) })
          return { token: accessToken, mend: async () => ({ token: (await grants.signIn(app, { user })).accessToken }) }
        },
        /consent again/,
      ],
      ancestor_inactive: [
        async () => {
          const one = await service()
          const subject = await grants.mint(one)
          const exchanged = async ({ accessToken }: { readonly accessToken: string }) => ({
            token: (await grants.exchangeToken(one, accessToken)).accessToken,
          })
          const derived = await exchanged(subject)
          await revoke({ case: 'tokenId', value: subject.tokenId })
          return { ...derived, mend: async () => await exchanged(await grants.mint(one)) }
        },
        /Exchange a subject token/,
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
          const { token } = await minted(one, { audiences: ['stock'] })
          return { token, ask, mend: async () => ({ ...(await minted(one, { audiences: ['shop'] })), ask }) }
        },
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
          const answer = await connection.call(mintToken, { client: { clientId } })
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
        const name = REASONS[reason as keyof typeof cases]
        expect(refused.reason).toBe(errorToldBy('verify', name))
        expect(ErrorReasonSchema.value[errorReason]?.localName).toBe(refused.reason)
        // What stands before a check that IntrospectToken does not make has passed for it as well.
        expect(introspected.active).toBe(VERIFIED_ONLY.has(name))
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
