import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { AccessTokenFormat, type ClientSchema, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService, ExplainMintRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { ErrorReason, ErrorReasonSchema } from '../../src/gen/qscope/v1/error_reason_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { KeyService } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { inSeconds, jwksOf, signed } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'
import { errorToldBy, toldOf } from '../setup/explained-refusals.ts'
import { jwtPlatform, workload } from '../setup/federated.ts'
import { startServer, type TestServer } from '../setup/server.ts'

const {
  disableClient,
  enableClient,
  explainMint,
  listClientSecrets,
  revokeClientSecret,
  rotateClientSecret,
  updateClient,
} = ClientService.method
const { exchangeAssertion, mintToken, revokeTokens } = TokenService.method
const { createTrustedIssuer, deleteTrustedIssuer, updateTrustedIssuer } = TrustService.method
type Wish = Omit<Exclude<MessageInitShape<typeof ExplainMintRequestSchema>, { $typeName: string }>, 'clientId'>
type Asked = { readonly clientId: string; readonly client: object; readonly wish?: Wish }

/** What is refused, and what the fix says: done, it leaves what is then issued. */
interface Case extends Asked {
  readonly mend: () => Promise<Partial<Asked>>
}

onEveryBackend(
  'ExplainMint',
  (server, database) => {
    const admin = () => ({ bearer: server.admin.token })
    const explain = async (clientId: string, wish: Wish = {}) =>
      await server.call(explainMint, { clientId, grantType: GrantType.CLIENT_CREDENTIALS, ...wish }, admin())
    const registered = async (more: Parameters<typeof server.registerClient>[0] = {}) =>
      await server.registerClient({ scopes: ['a', 'b'], audiences: ['stock', 'shop'], ...more })
    const identity = { config: { accessTokenFormat: AccessTokenFormat.IDENTITY_JWT } }

    const changed = async (client: MessageInitShape<typeof ClientSchema>) => {
      await server.call(updateClient, { client }, admin())
      return {}
    }

    /** For each way in which MintToken refuses by what is registered, known or spent: the check that fails, what its fix says, and what comes of doing so. */
    const cases: Record<string, readonly [() => Promise<Case>, string, RegExp]> = {
      'an unknown client': [
        async () => {
          const clientId = server.unique('nobody-here-')
          return { clientId, client: { clientId }, mend: () => registered({ clientId }) }
        },
        'client_is_registered',
        /register the client with RegisterClient/,
      ],
      'a disabled client': [
        async () => {
          const one = await registered()
          await server.call(disableClient, { clientId: one.clientId }, admin())
          const mend = async () => {
            await server.call(enableClient, { clientId: one.clientId }, admin())
            return {}
          }
          return { ...one, mend }
        },
        'client_is_enabled',
        /EnableClient/,
      ],
      'a client whose secrets have all ended': [
        async () => {
          const one = await registered()
          const { clientId } = one
          const { secrets } = await server.call(listClientSecrets, { clientId }, admin())
          for (const { secretId } of secrets) await server.call(revokeClientSecret, { clientId, secretId }, admin())
          const mend = async () => {
            const { clientSecret: value } = await server.call(rotateClientSecret, { clientId }, admin())
            return { client: { clientId, method: { case: 'clientSecret' as const, value } } }
          }
          return { ...one, mend }
        },
        'client_can_authenticate',
        /RotateClientSecret/,
      ],
      'a client whose platforms are all untrusted': [
        async () => {
          const issuers = [await jwtPlatform(server), await jwtPlatform(server)] as const
          for (const { issuer } of issuers) await server.call(deleteTrustedIssuer, { issuer }, admin())
          const [platform, other] = issuers
          const subject = server.unique('system:serviceaccount:shop:')
          const federatedIdentities = issuers.map(({ issuer }) => ({ issuer, subject }))
          const { clientId, assertion, proof } = await workload(server, other, { subject, federatedIdentities })
          // One of its platforms is enough. It proves itself by the token of that one.
          const client = proof(await assertion())
          const mend = async () => {
            const keys = { case: 'jwks' as const, value: jwksOf(other.pair) }
            await server.call(createTrustedIssuer, { trustedIssuer: { issuer: other.issuer, keys } }, admin())
            return {}
          }
          expect((await explain(clientId)).checks.at(-1)?.detail).toContain(platform.issuer)
          return { clientId, client, mend }
        },
        'client_can_authenticate',
        /CreateTrustedIssuer \(qscope trust create\), or .* QSCOPE_TRUSTED_ISSUERS_FILE/,
      ],
      'a grant that is not registered': [
        async () => {
          const one = await registered({ grantTypes: [GrantType.TOKEN_EXCHANGE] })
          return { ...one, mend: () => changed({ clientId: one.clientId, grantTypes: [GrantType.CLIENT_CREDENTIALS] }) }
        },
        'grant_is_allowed',
        /UpdateClient/,
      ],
      'a scope beyond the client’s': [
        async () => {
          const one = await registered()
          const scopes = ['a', 'c']
          return { ...one, wish: { scopes }, mend: () => changed({ clientId: one.clientId, scopes }) }
        },
        'scopes_are_allowed',
        /scopes of the client with UpdateClient/,
      ],
      'an audience beyond the client’s': [
        async () => {
          const one = await registered()
          const audiences = ['bank']
          return { ...one, wish: { audiences }, mend: () => changed({ clientId: one.clientId, audiences }) }
        },
        'audiences_are_allowed',
        /audiences of the client with UpdateClient/,
      ],
      'an audience whose resource server is disabled': [
        async () => {
          const audience = server.unique('https://closed.example/')
          const api = await registered({ resourceAudiences: [audience] })
          await server.call(disableClient, { clientId: api.clientId }, admin())
          const mend = async () => {
            await server.call(enableClient, { clientId: api.clientId }, admin())
            return {}
          }
          return { ...(await registered({ audiences: [audience] })), wish: { audiences: [audience] }, mend }
        },
        'audiences_are_allowed',
        /call EnableClient for it/,
      ],
      'an identity token for two audiences': [
        async () => ({
          ...(await registered(identity)),
          wish: { audiences: ['stock', 'shop'] },
          mend: async () => ({ wish: { audiences: ['shop'] } }),
        }),
        'identity_has_audience',
        /exactly one/,
      ],
      'an identity token for nobody': [
        async () => {
          const one = await registered(identity)
          const config = { accessTokenFormat: AccessTokenFormat.JWT }
          return { ...one, mend: () => changed({ clientId: one.clientId, config }) }
        },
        'identity_has_audience',
        /config\.access_token_format/,
      ],
      'a lifetime beyond the client’s': [
        async () => {
          const one = await registered({ config: { accessTokenTtl: { seconds: 60n } } })
          const config = { accessTokenTtl: { seconds: 61n } }
          return {
            ...one,
            wish: { lifetime: { seconds: 61n } },
            mend: () => changed({ clientId: one.clientId, config }),
          }
        },
        'lifetime_is_allowed',
        /access_token_ttl/,
      ],
      'a JWT that no header would carry': [
        async () => {
          const scopes = Array.from({ length: 200 }, (_, index) => `${'x'.repeat(120)}-${index}`)
          const one = await registered({ scopes, config: { accessTokenFormat: AccessTokenFormat.JWT } })
          return { ...one, mend: async () => ({ wish: { scopes: scopes.slice(0, 2) } }) }
        },
        'token_is_not_too_long',
        /fewer scopes/,
      ],
      'more live tokens than may be': [
        async () => {
          const one = await registered()
          for (let count = 0; count < 3; count += 1) await server.call(mintToken, { client: one.client })
          const mend = async () => {
            await server.call(revokeTokens, { target: { case: 'clientId', value: one.clientId } }, admin())
            // Until they are counted again.
            server.clock.advance(60_000)
            return {}
          }
          return { ...one, mend }
        },
        'live_tokens_are_within_quota',
        /RevokeTokens/,
      ],
    }

    /** What MintToken takes of what ExplainMint is asked. */
    const mint = async ({ client, wish = {} }: Asked) => {
      const { scopes, audiences, lifetime } = create(ExplainMintRequestSchema, wish)
      return await server.call(mintToken, { client, scopes, audiences, ...(lifetime !== undefined && { lifetime }) })
    }

    it('has a case for every check of MintToken, except for the rate and the clock', () => {
      const named = new Set(Object.values(cases).map(([, name]) => name))
      const elsewhere = ['minting_is_within_rate', 'clock_is_right']
      expect([...named, ...elsewhere].sort()).toEqual([...toldOf('mint')].sort())
    })

    it.each(Object.entries(cases))(
      'names the failing check and a working remedy, without spending or writing anything: %s',
      async (title, [make, name, fix]) => {
        const { mend, ...asked }: Case = await make()
        const refused = await refusalOf(mint(asked))
        await server.flush()
        const before = await dump(database)
        const { verdict, checks, errorReason } = await explain(asked.clientId, asked.wish)
        await server.flush()
        expect(await dump(database)).toBe(before)
        expect(verdict).toBe(title === 'an unknown client' ? Verdict.UNKNOWN : Verdict.REFUSED)
        expect(refused.reason).toBe(errorToldBy('mint', name))
        expect(ErrorReasonSchema.value[errorReason]?.localName).toBe(refused.reason)
        expect(checks.at(-1)).toMatchObject({ name, passed: false, fix: expect.stringMatching(fix) })
        expect(checks.at(-1)?.detail).not.toBe('')
        expect(checks.slice(0, -1).filter((check) => !check.passed || check.fix !== '')).toEqual([])
        const mended = { ...asked, ...(await mend()) }
        const explained = await explain(mended.clientId, mended.wish)
        expect([explained.verdict, explained.errorReason]).toEqual([Verdict.ACCEPTED, ErrorReason.UNSPECIFIED])
        expect((await mint(mended)).token?.accessToken).not.toBe('')
      },
    )

    it('names the problem that MintToken reports if there are several', async () => {
      const config = { ...identity.config, allowImpersonation: true }
      const one = await registered({ grantTypes: [GrantType.TOKEN_EXCHANGE], config })
      const { clientId } = one
      const wish = { scopes: ['c'], audiences: ['bank', 'stock'], lifetime: { seconds: 86_400n } }
      await server.call(disableClient, { clientId }, admin())
      const mends = [
        async () => undefined,
        () => server.call(enableClient, { clientId }, admin()),
        () => changed({ clientId, grantTypes: [GrantType.CLIENT_CREDENTIALS] }),
        () => changed({ clientId, scopes: ['c'] }),
        () => changed({ clientId, audiences: ['bank', 'stock'] }),
        () => changed({ clientId, config: { accessTokenFormat: AccessTokenFormat.JWT } }),
      ]
      const named: (string | undefined)[] = []
      for (const mend of mends) {
        await mend()
        const refused = await refusalOf(mint({ ...one, wish }))
        const { checks, errorReason } = await explain(clientId, wish)
        expect(ErrorReasonSchema.value[errorReason]?.localName).toBe(refused.reason)
        named.push(checks.at(-1)?.name)
      }
      expect(named).toEqual([
        'client_is_enabled',
        'grant_is_allowed',
        'scopes_are_allowed',
        'audiences_are_allowed',
        'identity_has_audience',
        'lifetime_is_allowed',
      ])
    })

    it('lists the checks of a mint that would succeed in order, with or without a signing key', async () => {
      const one = await registered({ config: { accessTokenFormat: AccessTokenFormat.JWT } })
      const wish = { scopes: ['a'], audiences: ['stock'], lifetime: { seconds: 60n } }
      const { verdict, checks, errorReason } = await explain(one.clientId, wish)
      expect([verdict, errorReason]).toEqual([Verdict.ACCEPTED, ErrorReason.UNSPECIFIED])
      expect(checks.map(({ name }) => name)).toEqual([
        'client_is_registered',
        'client_is_enabled',
        'client_can_authenticate',
        'clock_is_right',
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

    it('spends and writes nothing, however often it is called', async () => {
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

    it('is available to bearers of qscope:clients.read', async () => {
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
    it('names the rate, does not use it up, and recovers after a wait', async () => {
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

onEveryBackend('ExplainMint by a server that got the name of a trusted issuer', (server, database) => {
  it('refuses as calls do: the own issuer proves no client, although it is trusted and a rule names the client', async () => {
    const platform = await jwtPlatform(server)
    const { issuer, pair } = platform
    const { clientId, subject, proof } = await workload(server, platform, {
      grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER],
    })
    const rules = [{ claims: { sub: subject }, clientId, scopes: ['orders.read'] }]
    await server.call(
      updateTrustedIssuer,
      { trustedIssuer: { issuer, rules, audience: 'qscope' }, updateMask: { paths: ['rules', 'audience'] } },
      { bearer: server.admin.token },
    )
    const asked = async (of: TestServer, grantType: GrantType) => {
      const { checks, errorReason } = await of.call(explainMint, { clientId, grantType }, { bearer: of.admin.token })
      const failed = checks.find(({ passed }) => !passed)
      return [ErrorReasonSchema.value[errorReason]?.localName, failed?.name, failed?.fix]
    }
    const claims = { iss: issuer, sub: subject, iat: inSeconds(0), exp: inSeconds(300) }
    const minted = async (of: TestServer) =>
      await of.call(mintToken, { client: proof(await signed(pair, { ...claims, aud: of.issuer })) })
    const exchanged = async (of: TestServer) =>
      await of.call(exchangeAssertion, { assertion: await signed(pair, { ...claims, aud: 'qscope' }) })
    const accepted = ['UNSPECIFIED', undefined, undefined]

    expect(await asked(server, GrantType.CLIENT_CREDENTIALS)).toEqual(accepted)
    expect(await asked(server, GrantType.JWT_BEARER)).toEqual(accepted)
    expect((await minted(server)).token?.scopes).toEqual(['orders.read'])
    expect((await exchanged(server)).token?.scopes).toEqual(['orders.read'])

    const { keyring, first } = server
    const renamed = await startServer(database.url, keyring, first, { QSCOPE_ISSUER: issuer })
    try {
      const said = expect.stringContaining('Tokens of this server do not authenticate a client')
      expect(await asked(renamed, GrantType.CLIENT_CREDENTIALS)).toEqual([
        (await refusalOf(minted(renamed))).reason,
        'client_can_authenticate',
        said,
      ])
      expect(await asked(renamed, GrantType.JWT_BEARER)).toEqual([
        (await refusalOf(exchanged(renamed))).reason,
        'some_rule_names_client',
        said,
      ])
    } finally {
      await renamed.stop()
    }
  })
})
