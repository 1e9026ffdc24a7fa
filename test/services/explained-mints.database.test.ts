import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { AccessTokenFormat, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService, ExplainMintRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { ErrorReason, ErrorReasonSchema } from '../../src/gen/qscope/v1/error_reason_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { REDIRECT_URI } from '../setup/grants.ts'

const { disableClient, explainMint, listClientSecrets, revokeClientSecret } = ClientService.method
const { createAuthorizationCode, mintToken } = TokenService.method
type Wish = Omit<Exclude<MessageInitShape<typeof ExplainMintRequestSchema>, { $typeName: string }>, 'clientId'>
type Asked = { readonly clientId: string; readonly client: object; readonly wish?: Wish }

onEveryBackend(
  'ExplainMint',
  (server) => {
    const admin = () => ({ bearer: server.admin.token })
    const explain = async (clientId: string, wish: Wish = {}) =>
      await server.call(explainMint, { clientId, grantType: GrantType.CLIENT_CREDENTIALS, ...wish }, admin())
    const registered = async (more: Parameters<typeof server.registerClient>[0] = {}) =>
      await server.registerClient({ scopes: ['a', 'b'], audiences: ['stock', 'shop'], ...more })
    const identity = { config: { accessTokenFormat: AccessTokenFormat.IDENTITY_JWT } }

    /** For each way in which MintToken refuses by what is registered, known or spent: the check that fails, and its mend. */
    const cases: Record<string, readonly [() => Promise<Asked>, string, RegExp]> = {
      'an unknown client': [
        async () => ({ clientId: 'nobody-here', client: { clientId: 'nobody-here' } }),
        'client_is_registered',
        /letter by letter/,
      ],
      'a disabled client': [
        async () => {
          const one = await registered()
          await server.call(disableClient, { clientId: one.clientId }, admin())
          return one
        },
        'client_is_enabled',
        /EnableClient/,
      ],
      'a client whose secrets have all ended': [
        async () => {
          const one = await registered()
          const { secrets } = await server.call(listClientSecrets, { clientId: one.clientId }, admin())
          for (const { secretId } of secrets) {
            await server.call(revokeClientSecret, { clientId: one.clientId, secretId }, admin())
          }
          return one
        },
        'client_can_authenticate',
        /RotateClientSecret/,
      ],
      'a grant that is not registered': [
        async () => await registered({ grantTypes: [GrantType.TOKEN_EXCHANGE] }),
        'grant_is_allowed',
        /UpdateClient/,
      ],
      'a scope beyond the client’s': [
        async () => ({ ...(await registered()), wish: { scopes: ['a', 'c'] } }),
        'scopes_are_allowed',
        /UpdateClient with scopes/,
      ],
      'an audience beyond the client’s': [
        async () => ({ ...(await registered()), wish: { audiences: ['bank'] } }),
        'audiences_are_allowed',
        /UpdateClient with audiences/,
      ],
      'an audience whose resource server is disabled': [
        async () => {
          const audience = server.unique('https://closed.example/')
          const api = await registered({ resourceAudiences: [audience] })
          await server.call(disableClient, { clientId: api.clientId }, admin())
          return { ...(await registered({ audiences: [audience] })), wish: { audiences: [audience] } }
        },
        'audiences_are_allowed',
        /disabled or deleted/,
      ],
      'an identity token for two audiences': [
        async () => ({ ...(await registered(identity)), wish: { audiences: ['stock', 'shop'] } }),
        'identity_has_audience',
        /exactly one/,
      ],
      'a lifetime beyond the client’s': [
        async () => ({
          ...(await registered({ config: { accessTokenTtl: { seconds: 60n } } })),
          wish: { lifetime: { seconds: 61n } },
        }),
        'lifetime_is_allowed',
        /access_token_ttl/,
      ],
      'a JWT that no header would carry': [
        async () => {
          const scopes = Array.from({ length: 200 }, (_, index) => `${'x'.repeat(120)}-${index}`)
          return await registered({ scopes, config: { accessTokenFormat: AccessTokenFormat.JWT } })
        },
        'token_is_not_too_long',
        /fewer scopes/,
      ],
      'more live tokens than may be': [
        async () => {
          const one = await registered()
          for (let count = 0; count < 3; count += 1) await server.call(mintToken, { client: one.client })
          return one
        },
        'live_tokens_are_within_quota',
        /QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT/,
      ],
    }

    it.each(Object.entries(cases))('names the check that fails, and its mend: %s', async (title, [make, name, fix]) => {
      const { clientId, client, wish = {} }: Asked = await make()
      const { grantType: _, ...asked } = create(ExplainMintRequestSchema, wish)
      const { scopes, audiences, lifetime } = asked
      const refused = await refusalOf(
        server.call(mintToken, { client, scopes, audiences, ...(lifetime !== undefined && { lifetime }) }),
      )
      const { verdict, checks, errorReason } = await explain(clientId, wish)
      expect(verdict).toBe(title === 'an unknown client' ? Verdict.UNKNOWN : Verdict.REFUSED)
      expect(ErrorReasonSchema.value[errorReason]?.localName).toBe(refused.reason)
      expect(checks.at(-1)).toMatchObject({ name, passed: false, fix: expect.stringMatching(fix) })
      expect(checks.at(-1)?.detail).not.toBe('')
      expect(checks.slice(0, -1).filter((check) => !check.passed || check.fix !== '')).toEqual([])
    })

    it('tells what is judged of a mint that would succeed, in its order, whether or not a key signs yet', async () => {
      const one = await registered({ config: { accessTokenFormat: AccessTokenFormat.JWT } })
      const wish = { scopes: ['a'], audiences: ['stock'], lifetime: { seconds: 60n } }
      const { verdict, checks, errorReason } = await explain(one.clientId, wish)
      expect([verdict, errorReason]).toEqual([Verdict.ACCEPTED, ErrorReason.UNSPECIFIED])
      expect(checks.map(({ name }) => name)).toEqual([
        'client_is_registered',
        'client_is_enabled',
        'client_can_authenticate',
        'grant_is_allowed',
        'scopes_are_allowed',
        'audiences_are_allowed',
        'identity_has_audience',
        'lifetime_is_allowed',
        'token_is_not_too_long',
        'signer_is_ready',
        'minting_is_within_rate',
        'live_tokens_are_within_quota',
      ])
      expect(checks.every(({ passed, fix }) => passed && fix === '')).toBe(true)
    })

    it('spends and writes nothing, however often it is asked', async () => {
      const jwt = await registered({ config: { accessTokenFormat: AccessTokenFormat.JWT } })
      const one = await registered()
      const keys = async () => (await server.call(KeyService.method.listSigningKeys, {}, admin())).keys
      const before = [await server.auditEvents({}), await keys()]
      for (let count = 0; count < 10; count += 1) {
        for (const { clientId } of [jwt, one]) expect((await explain(clientId)).verdict).toBe(Verdict.ACCEPTED)
      }
      expect([await server.auditEvents({}), await keys()]).toEqual(before)
      // All that may live is there still.
      for (let count = 0; count < 3; count += 1) await server.call(mintToken, { client: one.client })
    })

    describe('for the other grants', () => {
      const userGrants = {
        grantTypes: [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN, GrantType.DEVICE_CODE],
        redirectUris: [REDIRECT_URI],
        scopes: ['a', 'qscope:users.read'],
      }
      const asked: GrantType[] = [
        GrantType.AUTHORIZATION_CODE,
        GrantType.DEVICE_CODE,
        GrantType.REFRESH_TOKEN,
        GrantType.TOKEN_EXCHANGE,
      ]

      it.each(asked)(
        'accepts grant %i of a client that is registered for it, and refuses the permissions of this server',
        async (grantType) => {
          const { clientId } = await registered({
            ...userGrants,
            grantTypes: [...userGrants.grantTypes, GrantType.TOKEN_EXCHANGE],
          })
          expect((await explain(clientId, { grantType, scopes: ['a'] })).verdict).toBe(Verdict.ACCEPTED)
          const { checks, errorReason } = await explain(clientId, { grantType, scopes: ['qscope:users.read'] })
          expect(errorReason).toBe(ErrorReason.OAUTH_INVALID_SCOPE)
          expect(checks.at(-1)).toMatchObject({ name: 'scopes_are_allowed', passed: false })
        },
      )

      it.each(asked)('refuses grant %i of a client that is not registered for it', async (grantType) => {
        const { checks, errorReason } = await explain((await registered()).clientId, { grantType })
        expect(errorReason).toBe(ErrorReason.OAUTH_UNAUTHORIZED_CLIENT)
        expect(checks.at(-1)).toMatchObject({ name: 'grant_is_allowed', passed: false })
      })

      it('refuses as CreateAuthorizationCode does', async () => {
        const { clientId } = await registered(userGrants)
        const user = { id: { case: 'externalId' as const, value: server.unique('user-') } }
        const wish = { scopes: ['b'], audiences: [] }
        const refused = await refusalOf(
          server.call(
            createAuthorizationCode,
            {
              clientId,
              user,
              redirectUri: REDIRECT_URI,
              codeChallenge: 'x'.repeat(43),
              codeChallengeMethod: 1,
              ...wish,
            },
            admin(),
          ),
        )
        const { errorReason } = await explain(clientId, { grantType: GrantType.AUTHORIZATION_CODE, ...wish })
        expect(ErrorReasonSchema.value[errorReason]?.localName).toBe(refused.reason)
      })

      it.each([
        ['that is disabled', true],
        ['that does not exist', false],
      ])('refuses a client %s as CreateAuthorizationCode does', async (_which, exists) => {
        const clientId = exists ? (await registered(userGrants)).clientId : 'nobody-here'
        if (exists) await server.call(disableClient, { clientId }, admin())
        const user = { id: { case: 'externalId' as const, value: server.unique('user-') } }
        const refused = await refusalOf(
          server.call(createAuthorizationCode, { clientId, user, redirectUri: REDIRECT_URI }, admin()),
        )
        const { errorReason } = await explain(clientId, { grantType: GrantType.AUTHORIZATION_CODE })
        expect(ErrorReasonSchema.value[errorReason]?.localName).toBe(refused.reason)
      })

      it('says where no issuer of assertions is trusted', async () => {
        const { clientId } = await registered({ grantTypes: [GrantType.JWT_BEARER] })
        const { checks, errorReason } = await explain(clientId, { grantType: GrantType.JWT_BEARER })
        expect(errorReason).toBe(ErrorReason.OAUTH_UNSUPPORTED_GRANT_TYPE)
        expect(checks.at(-1)).toMatchObject({ name: 'some_issuer_is_trusted', passed: false })
      })

      it('takes no lifetime', async () => {
        const { clientId } = await registered(userGrants)
        const wish = { grantType: GrantType.DEVICE_CODE, lifetime: { seconds: 60n } }
        const refused = await refusalOf(explain(clientId, wish))
        expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['lifetime'] })
      })
    })

    it('is for bearers of qscope:clients.read, whichever client they are', async () => {
      const { clientId, clientSecret } = await registered()
      const bearerOf = async (scope: string) => {
        const { client } = await server.registerClient({ scopes: [scope] })
        return { bearer: (await server.call(mintToken, { client })).token?.accessToken ?? '' }
      }
      const request = { clientId, grantType: GrantType.CLIENT_CREDENTIALS }
      expect((await server.call(explainMint, request, await bearerOf('qscope:clients.read'))).verdict).toBe(
        Verdict.ACCEPTED,
      )
      const refusals = [
        [await bearerOf('qscope:tokens.read'), 'OAUTH_INSUFFICIENT_SCOPE'],
        [{ basic: [clientId, clientSecret] as const }, 'OAUTH_INVALID_TOKEN'],
        [{}, 'OAUTH_INVALID_TOKEN'],
      ] as const
      for (const [sent, reason] of refusals) {
        expect((await refusalOf(server.call(explainMint, request, sent))).reason).toBe(reason)
      }
      expect((await refusalOf(server.call(explainMint, { clientId }, admin()))).violations).toEqual(['grant_type'])
    })
  },
  { variables: { QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT: '3' } },
)

onEveryBackend(
  'ExplainMint of a client that mints too fast',
  (server) => {
    it('names the rate, takes nothing of it, and is mended by waiting', async () => {
      const { clientId, client } = await server.registerClient({ scopes: ['a'] })
      const explain = () =>
        server.call(explainMint, { clientId, grantType: GrantType.CLIENT_CREDENTIALS }, { bearer: server.admin.token })
      for (let count = 0; count < 2; count += 1) {
        for (let asked = 0; asked < 5; asked += 1) expect((await explain()).verdict).toBe(Verdict.ACCEPTED)
        await server.call(mintToken, { client })
      }
      const refused = await refusalOf(server.call(mintToken, { client }))
      const { checks, errorReason } = await explain()
      expect(ErrorReasonSchema.value[errorReason]?.localName).toBe(refused.reason)
      expect(checks.at(-1)).toMatchObject({
        name: 'minting_is_within_rate',
        passed: false,
        fix: expect.stringMatching(/QSCOPE_MINT_RATE/),
      })
      server.clock.advance(60_000)
      expect((await explain()).verdict).toBe(Verdict.ACCEPTED)
    })
  },
  { variables: { QSCOPE_MINT_RATE: '1/m:2' } },
)
