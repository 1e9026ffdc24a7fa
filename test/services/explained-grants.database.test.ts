import { randomUUID } from 'node:crypto'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { beforeAll, expect, it } from 'vitest'
import { AccessTokenFormat, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService, type ExplainMintRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { ErrorReason, ErrorReasonSchema } from '../../src/gen/qscope/v1/error_reason_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { inSeconds, signed } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { refusalOf } from '../setup/client.ts'
import { dump } from '../setup/dump.ts'
import { jwtPlatform } from '../setup/federated.ts'
import { grantsOn, REDIRECT_URI, tokensOf } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'
import { AUDIENCE, CI, CLUSTER, trustedIssuers } from '../setup/trusted-issuers.ts'

const { disableClient, enableClient, explainMint, rotateClientSecret, updateClient } = ClientService.method
const { listClientSecrets, revokeClientSecret } = ClientService.method
const { createAuthorizationCode, exchangeAssertion } = TokenService.method
const { updateTrustedIssuer } = TrustService.method
const issuers = await trustedIssuers(suiteFolder())
type Wish = Omit<Exclude<MessageInitShape<typeof ExplainMintRequestSchema>, { $typeName: string }>, 'clientId'>

/** How a question would be asked in earnest, and what the fix says; what is asked after it may be another. */
interface Case {
  readonly clientId: string
  readonly wish?: Wish
  readonly ask: (wish: Wish) => Promise<unknown>
  readonly mend: () => Promise<Wish | undefined>
}

const explanations = (server: TestServer) => ({
  admin: () => ({ bearer: server.admin.token }),
  explain: async (clientId: string, wish: Wish = {}) =>
    await server.call(
      explainMint,
      { clientId, grantType: GrantType.CLIENT_CREDENTIALS, ...wish },
      { bearer: server.admin.token },
    ),
  registered: async (more: Parameters<typeof server.registerClient>[0] = {}) =>
    await server.registerClient({ scopes: ['a', 'b'], audiences: ['stock', 'shop'], ...more }),
})

onEveryBackend(
  'ExplainMint by grant',
  (server, database) => {
    const { admin, explain, registered } = explanations(server)
    const grants = grantsOn(server)
    const identity = { accessTokenFormat: AccessTokenFormat.IDENTITY_JWT }
    const both = ['stock', 'shop']

    const exchanged = async (assertion: string, { scopes = [], audiences = [] }: Wish, client?: object) =>
      await server.call(exchangeAssertion, { assertion, scopes, audiences, ...(client !== undefined && { client }) })
    const workload = async (subject: string) =>
      await signed(issuers.cluster, { iss: CLUSTER, sub: subject, aud: AUDIENCE, exp: inSeconds(300) })
    const job = async () =>
      await signed(issuers.ci, { iss: CI, sub: 'job', aud: server.issuer, exp: inSeconds(300), jti: randomUUID() })
    const orders = () => workload('system:serviceaccount:shop:orders')
    const change = async (client: object) => {
      await server.call(updateClient, { client }, admin())
      return undefined
    }

    beforeAll(async () => {
      const more = { grantTypes: [GrantType.JWT_BEARER], audiences: both }
      await registered({ ...more, clientId: 'orders', scopes: ['orders.read', 'orders.write', 'orders.delete'] })
      await registered({ ...more, clientId: 'ci-runner', scopes: ['deploy'], config: identity })
      await registered({
        ...more,
        clientId: 'batch',
        grantTypes: [GrantType.CLIENT_CREDENTIALS],
        scopes: ['orders.read'],
      })
    })

    /** What refuses on the way of each grant: the check that fails, its fix, and whether the mend lets the call pass. */
    const cases: Record<string, readonly [() => Promise<Case>, GrantType, string, RegExp]> = {
      'a code of a client without a valid secret': [
        async () => {
          const web = await grants.webClient()
          const { clientId } = web
          const code = await grants.createCode(web)
          const { secrets } = await server.call(listClientSecrets, { clientId }, admin())
          for (const { secretId } of secrets) await server.call(revokeClientSecret, { clientId, secretId }, admin())
          let { client } = web
          const mend = async () => {
            const { clientSecret: value } = await server.call(rotateClientSecret, { clientId }, admin())
            client = { clientId, method: { case: 'clientSecret' as const, value } }
            return undefined
          }
          return { clientId, ask: () => grants.exchangeCode({ client }, code), mend }
        },
        GrantType.AUTHORIZATION_CODE,
        'client_can_authenticate',
        /RotateClientSecret/,
      ],
      'a consent to an identity token for nobody': [
        async () => {
          const web = await grants.webClient({ audiences: both, config: identity })
          const ask = ({ audiences = [] }: Wish) => grants.createCode(web, { audiences: [...audiences] })
          return { clientId: web.clientId, ask, mend: async () => ({ audiences: ['stock'] }) }
        },
        GrantType.AUTHORIZATION_CODE,
        'identity_has_audience',
        /at least one/,
      ],
      'more undecided device authorizations than may be': [
        async () => {
          // Of a public client fewer are pending from one address.
          const device = await registered({ grantTypes: [GrantType.DEVICE_CODE] })
          const started = [await grants.startDevice(device), await grants.startDevice(device)]
          const mend = async () => {
            for (const one of started) await grants.approveDevice(one)
            return undefined
          }
          return { clientId: device.clientId, ask: () => grants.startDevice(device), mend }
        },
        GrantType.DEVICE_CODE,
        'pending_devices_are_within_cap',
        /users have decided/,
      ],
      'a refresh of an identity token for two audiences': [
        async () => {
          const web = await grants.webClient({ audiences: both, config: identity })
          const code = await grants.createCode(web, { audiences: both })
          const { refreshToken } = await grants.exchangeCode(web, code, { audiences: ['stock'] })
          const ask = ({ audiences = [] }: Wish) => grants.refresh(web, refreshToken, [], [...audiences])
          return { clientId: web.clientId, wish: { audiences: both }, ask, mend: async () => ({ audiences: ['shop'] }) }
        },
        GrantType.REFRESH_TOKEN,
        'identity_has_audience',
        /exactly one/,
      ],
      'a refresh for a scope that the client has lost': [
        async () => {
          const web = await grants.webClient()
          const { refreshToken } = await grants.signIn(web)
          const scopes = ['orders.write']
          await change({ clientId: web.clientId, scopes: ['orders.read'] })
          const ask = () => grants.refresh(web, refreshToken, scopes)
          const mend = async () => {
            await change({ clientId: web.clientId, scopes: ['orders.read', 'orders.write'] })
            return { scopes }
          }
          return { clientId: web.clientId, wish: { scopes }, ask, mend }
        },
        GrantType.REFRESH_TOKEN,
        'scopes_are_allowed',
        /scopes of the client with UpdateClient/,
      ],
      'an exchange for an audience that is not registered': [
        async () => {
          const service = await grants.serviceClient({ audiences: ['stock'] })
          const { accessToken } = await grants.mint(service)
          const audiences = ['bank']
          const mend = async () => {
            await change({ clientId: service.clientId, audiences })
            return { audiences }
          }
          const ask = () => grants.exchangeToken(service, accessToken, { audiences })
          return { clientId: service.clientId, wish: { audiences }, ask, mend }
        },
        GrantType.TOKEN_EXCHANGE,
        'audiences_are_allowed',
        /audiences of the client with UpdateClient/,
      ],
      'an exchange for a JWT that no header would carry': [
        async () => {
          const scopes = Array.from({ length: 200 }, (_, index) => `${'x'.repeat(120)}-${index}`)
          const service = await grants.serviceClient({ scopes })
          const { accessToken } = await grants.mint(service)
          await change({ clientId: service.clientId, config: { accessTokenFormat: AccessTokenFormat.JWT } })
          const ask = (wish: Wish) => grants.exchangeToken(service, accessToken, { scopes: [...(wish.scopes ?? [])] })
          return {
            clientId: service.clientId,
            wish: { scopes },
            ask,
            mend: async () => ({ scopes: scopes.slice(0, 2) }),
          }
        },
        GrantType.TOKEN_EXCHANGE,
        'token_is_not_too_long',
        /fewer scopes/,
      ],
      'an assertion for a client that is disabled': [
        async () => {
          await server.call(disableClient, { clientId: 'orders' }, admin())
          const mend = async () => {
            await server.call(enableClient, { clientId: 'orders' }, admin())
            return undefined
          }
          return { clientId: 'orders', ask: async (wish) => await exchanged(await orders(), wish), mend }
        },
        GrantType.JWT_BEARER,
        'client_is_enabled',
        /EnableClient/,
      ],
      'an assertion for a client that may not show one': [
        async () => {
          const ask = async (wish: Wish) => await exchanged(await workload('system:serviceaccount:batch:night'), wish)
          return {
            clientId: 'batch',
            ask,
            mend: () => change({ clientId: 'batch', grantTypes: [GrantType.JWT_BEARER] }),
          }
        },
        GrantType.JWT_BEARER,
        'grant_is_allowed',
        /UpdateClient/,
      ],
      'an assertion of an issuer without a rule for the client': [
        async () => {
          const { issuer, pair } = await jwtPlatform(server)
          const { clientId } = await registered({ grantTypes: [GrantType.JWT_BEARER] })
          const claims = { iss: issuer, sub: 'night', aud: server.issuer, exp: inSeconds(300) }
          const ask = async (wish: Wish) => await exchanged(await signed(pair, claims), wish)
          const mend = async () => {
            const rules = [{ claims: { sub: 'night' }, clientId, scopes: ['a'] }]
            await server.call(updateTrustedIssuer, { trustedIssuer: { issuer, rules } }, admin())
            return undefined
          }
          return { clientId, ask, mend }
        },
        GrantType.JWT_BEARER,
        'some_rule_names_client',
        /UpdateTrustedIssuer \(qscope trust update\)/,
      ],
      'an assertion for a scope beyond the rule’s': [
        async () => ({
          clientId: 'orders',
          wish: { scopes: ['orders.delete'] },
          ask: async (wish) => await exchanged(await orders(), wish),
          mend: async () => ({ scopes: ['orders.read'] }),
        }),
        GrantType.JWT_BEARER,
        'scopes_are_allowed',
        /both the client and a rule for it have/,
      ],
      'an assertion for an identity token for nobody': [
        async () => ({
          clientId: 'ci-runner',
          ask: async (wish) => await exchanged(await job(), wish),
          mend: async () => ({ audiences: ['stock'] }),
        }),
        GrantType.JWT_BEARER,
        'identity_has_audience',
        /exactly one/,
      ],
    }

    it.each(Object.entries(cases))(
      'names the failing check and a working remedy, without spending or writing anything: %s',
      async (_title, [make, grantType, name, fix]) => {
        const { clientId, wish = {}, ask, mend }: Case = await make()
        const refused = await refusalOf(ask(wish))
        await server.flush()
        const before = await dump(database)
        const { verdict, checks, errorReason } = await explain(clientId, { grantType, ...wish })
        await server.flush()
        expect(await dump(database)).toBe(before)
        expect(verdict).toBe(Verdict.REFUSED)
        expect(ErrorReasonSchema.value[errorReason]?.localName).toBe(refused.reason)
        expect(checks.at(-1)).toMatchObject({ name, passed: false, fix: expect.stringMatching(fix) })
        expect(checks.at(-1)?.detail).not.toBe('')
        const mended = (await mend()) ?? wish
        expect((await explain(clientId, { grantType, ...mended })).verdict).toBe(Verdict.ACCEPTED)
        await ask(mended)
      },
    )

    it('reports a client that no rule of an issuer names', async () => {
      const { clientId, client } = await registered({ grantTypes: [GrantType.JWT_BEARER] })
      const refused = await refusalOf(exchanged(await orders(), {}, client))
      const { checks, errorReason } = await explain(clientId, { grantType: GrantType.JWT_BEARER })
      expect(ErrorReasonSchema.value[errorReason]?.localName).toBe(refused.reason)
      expect(checks.at(-1)).toMatchObject({ name: 'some_rule_names_client', passed: false })
      expect(checks.at(-1)?.fix).toContain('QSCOPE_TRUSTED_ISSUERS_FILE')
    })

    it('does not spend a code, a device code, a refresh token or a single-use assertion', async () => {
      const web = await grants.webClient()
      const device = await grants.deviceClient()
      const code = await grants.createCode(web)
      const started = await grants.startDevice(device)
      await grants.approveDevice(started)
      const assertion = await job()
      const audiences = ['stock']
      const explainAll = async () => {
        for (const grantType of [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN]) {
          expect((await explain(web.clientId, { grantType })).verdict).toBe(Verdict.ACCEPTED)
        }
        for (const grantType of [GrantType.DEVICE_CODE, GrantType.REFRESH_TOKEN]) {
          expect((await explain(device.clientId, { grantType })).verdict).toBe(Verdict.ACCEPTED)
        }
        const wish = { grantType: GrantType.JWT_BEARER, audiences }
        expect((await explain('ci-runner', wish)).verdict).toBe(Verdict.ACCEPTED)
      }
      await explainAll()
      const { refreshToken } = await grants.exchangeCode(web, code)
      await grants.redeemDevice(device, started)
      expect(tokensOf((await exchanged(assertion, { audiences })).token).audiences).toEqual(audiences)
      expect((await refusalOf(exchanged(assertion, { audiences }))).reason).toBe('OAUTH_INVALID_GRANT')
      await explainAll()
      await grants.refresh(web, refreshToken)
    })

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
      'accepts grant %i for a client registered for it, and refuses the permissions of this server',
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

    it.each(asked)('refuses grant %i for a client not registered for it', async (grantType) => {
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

    it('takes no lifetime', async () => {
      const { clientId } = await registered(userGrants)
      const wish = { grantType: GrantType.DEVICE_CODE, lifetime: { seconds: 60n } }
      const refused = await refusalOf(explain(clientId, wish))
      expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['lifetime'] })
    })
  },
  {
    variables: { QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file, QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS: '2' },
  },
)

onEveryBackend('ExplainMint where no issuer is trusted', (server) => {
  const { admin, explain, registered } = explanations(server)
  const explainAssertion = (clientId: string) => explain(clientId, { grantType: GrantType.JWT_BEARER })

  it('reports this before problems of the client, like ExchangeAssertion', async () => {
    const { clientId } = await registered({ grantTypes: [GrantType.JWT_BEARER] })
    const refused = await refusalOf(server.call(exchangeAssertion, { assertion: 'a.b.c' }))
    const told = async () => {
      const { checks, errorReason } = await explainAssertion(clientId)
      expect(checks.at(-1)).toMatchObject({ name: 'some_issuer_is_trusted', passed: false })
      return ErrorReasonSchema.value[errorReason]?.localName
    }
    expect(await told()).toBe(refused.reason)
    await server.call(disableClient, { clientId }, admin())
    expect(await told()).toBe(refused.reason)
  })

  it('names both ways to trust an issuer, and an issuer in the database passes the check', async () => {
    const { clientId } = await registered({ grantTypes: [GrantType.JWT_BEARER] })
    const fix = (await explainAssertion(clientId)).checks.at(-1)?.fix
    expect(fix).toMatch(/CreateTrustedIssuer \(qscope trust create\), or .* QSCOPE_TRUSTED_ISSUERS_FILE/)
    await jwtPlatform(server)
    expect((await explainAssertion(clientId)).checks.at(-1)?.name).toBe('some_rule_names_client')
  })
})
