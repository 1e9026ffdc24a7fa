import { randomUUID } from 'node:crypto'
import type { DescMethod } from '@bufbuild/protobuf'
import { afterAll, describe, expect, it } from 'vitest'
import { ClientAuthenticationSchema } from '../../src/gen/qscope/v1/client_authentication_pb.ts'
import { AccessTokenFormat, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { RevocationStart, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { AssertionUse, TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { type Claims, inSeconds, signed, signingPair } from '../setup/assertions.ts'
import { Refused } from '../setup/client.ts'
import { jwtPlatform, type Platform, spiffePlatform, workload } from '../setup/federated.ts'
import { ASSERTION_TYPE, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { ACCESS_TOKEN_TYPE } from '../setup/grants.ts'
import { startServer } from '../setup/server.ts'
import { FORGED_PROOFS, FORGERIES, FORGERIES_BY_JWT, FORGERIES_BY_SVID, type Target } from './forged-assertions.ts'
import { LIMITS_OFF } from './limits-off.ts'
import { isServerStream, isUnary } from './reflected-methods.ts'

const database = await sqliteFiles.create()
const server = await startServer(database.url, undefined, undefined, { ...LIMITS_OFF, ...HTTP_PORT })
afterAll(async () => {
  await server.stop()
  await database.drop()
})
const bearer = { bearer: server.admin.token }
const forms = formsOn(server)

/** Requests by method that pass validation, so that only client authentication can refuse them. */
const REQUESTS: Readonly<Record<string, object>> = {
  mintToken: {},
  batchMintTokens: { requests: [{}] },
  exchangeAuthorizationCode: { code: 'x', redirectUri: 'https://a.example', codeVerifier: 'x'.repeat(43) },
  refreshToken: { refreshToken: 'x' },
  exchangeToken: { subjectToken: 'x', subjectTokenType: ACCESS_TOKEN_TYPE },
  exchangeAssertion: { assertion: 'x' },
  verifyToken: { token: 'x' },
  introspectToken: { token: 'x' },
  batchIntrospectTokens: { tokens: ['x'] },
  explainToken: { token: 'x' },
  revokeToken: { token: 'x' },
  pollRevocations: { from: { case: 'start', value: RevocationStart.NOW }, wait: { seconds: 0n } },
  startDeviceAuthorization: {},
  redeemDeviceCode: { deviceCode: 'x' },
  watchDeviceAuthorization: { deviceCode: 'x' },
  rotateOwnSecret: {},
}

/** Every method with client authentication. */
const METHODS: readonly DescMethod[] = [TokenService, DeviceService, ClientService]
  .flatMap(({ methods }) => methods)
  .filter(({ input }) => input.field['client']?.message?.typeName === ClientAuthenticationSchema.typeName)

/**
 * A client of a trusted platform, by its own registration and by a rule, and the knowledge of the attacker. The expression
 * of the rule fails for all that the attacker makes, so each evaluation of it leaves a line in the log.
 */
async function attacked(platform: Platform, other: Platform, subjectOf: (issuer: string) => string) {
  const grantTypes = [
    GrantType.CLIENT_CREDENTIALS,
    GrantType.TOKEN_EXCHANGE,
    GrantType.JWT_BEARER,
    GrantType.DEVICE_CODE,
  ]
  const client = await workload(server, platform, { subject: subjectOf(platform.issuer), grantTypes })
  const neighbour = await workload(server, other, { subject: subjectOf(other.issuer) })
  const rules = [
    {
      claims: { sub: client.subject },
      clientId: client.clientId,
      scopes: ['orders.read'],
      condition: 'claims.genuine',
    },
  ]
  await server.call(
    TrustService.method.updateTrustedIssuer,
    { trustedIssuer: { issuer: platform.issuer, rules } },
    bearer,
  )
  const jwt = await server.registerClient({ config: { accessTokenFormat: AccessTokenFormat.JWT } })
  const { token } = await server.call(TokenService.method.mintToken, { client: jwt.client })
  const target: Target = {
    pair: platform.pair,
    claims: client.claims(),
    audience: server.issuer,
    other: { ...other, subject: neighbour.subject },
    ownToken: token?.accessToken ?? '',
  }
  const assertion: typeof client.assertion = (over, header) => client.assertion({ genuine: true, ...over }, header)
  return { ...client, assertion, target }
}

type Attacked = Awaited<ReturnType<typeof attacked>>

const TARGETS = {
  'a JWT': await attacked(await jwtPlatform(server), await jwtPlatform(server), () => `system:sa:shop:${randomUUID()}`),
  'a JWT-SVID': await attacked(
    await spiffePlatform(server),
    await spiffePlatform(server),
    (issuer) => `${issuer}/ns/shop/sa/${randomUUID()}s`,
  ),
}
type Kind = keyof typeof TARGETS
const KINDS: readonly Kind[] = ['a JWT', 'a JWT-SVID']

/** The number of evaluations that failed so far. */
const failedEvaluations = () =>
  server.lines.filter(({ msg }) => msg === 'a rule of a trusted issuer cannot be evaluated').length

/** The reason of a refusal; `null` if the call succeeded. */
async function refusalTo(call: Promise<unknown>): Promise<string | null> {
  try {
    await call
    return null
  } catch (error) {
    if (error instanceof Refused) return error.reason
    throw error
  }
}

/** How a caller authenticates. `id`: another client than the attacked one. */
interface Credentials {
  readonly id?: string
  readonly method: { readonly case: 'clientSecret' | 'clientAssertion'; readonly value: string }
}

/** A way to present an assertion. */
interface Way {
  readonly use: 'proof' | 'grant'
  /** The kinds that are accepted here. */
  readonly kinds: readonly Kind[]
  /** The reason with which an assertion is refused here. */
  readonly refusal: string
  readonly show: (client: Attacked, assertion: string) => Promise<string | null>
}

const overGrpc = METHODS.map((method): [string, Way] => {
  const request = REQUESTS[method.localName]
  const show: Way['show'] = async ({ proof }, assertion) => {
    const message = { ...request, client: proof(assertion) }
    if (isServerStream(method)) return await refusalTo(server.stream(method, message).ended)
    if (isUnary(method)) return await refusalTo(server.call(method, message))
    throw new Error(`${method.name} takes a stream`)
  }
  return [`${method.name} over gRPC`, { use: 'proof', kinds: KINDS, refusal: 'OAUTH_INVALID_CLIENT', show }]
})

const ENDPOINTS: Readonly<
  Record<string, (fields: Readonly<Record<string, string>>) => ReturnType<typeof forms.token>>
> = {
  token: (fields) => forms.token({ ...fields, grant_type: GRANT_TYPES.clientCredentials }),
  introspect: (fields) => forms.introspect({ ...fields, token: 'x' }),
  revoke: (fields) => forms.revoke({ ...fields, token: 'x' }),
  device_authorization: (fields) => forms.device(fields),
}

const overHttp = Object.entries(ENDPOINTS).flatMap(([endpoint, send]) =>
  ['jwt-bearer', 'jwt-spiffe'].map((type): [string, Way] => {
    const isNamed = type === 'jwt-bearer'
    const show: Way['show'] = async ({ clientId }, assertion) => {
      const named = isNamed ? { client_id: clientId } : {}
      const client_assertion_type = `urn:ietf:params:oauth:client-assertion-type:${type}`
      const { status, body } = await send({ ...named, client_assertion: assertion, client_assertion_type })
      return status === 200 ? null : String(body['error'])
    }
    const title = `/oauth2/${endpoint} over HTTP, as ${type} ${isNamed ? 'with' : 'without'} client_id`
    return [title, { use: 'proof', kinds: isNamed ? KINDS : ['a JWT-SVID'], refusal: 'invalid_client', show }]
  }),
)

const TESTED = 'refused'
const tested = (use: AssertionUse): Way['show'] => {
  return async (_client, assertion) => {
    try {
      const { verdict } = await server.call(TrustService.method.testAssertion, { assertion, use }, bearer)
      return verdict === Verdict.ACCEPTED ? null : TESTED
    } catch (error) {
      if (error instanceof Refused) return error.reason
      throw error
    }
  }
}

const WAYS: readonly (readonly [string, Way])[] = [
  ...overGrpc,
  ...overHttp,
  [
    'ExchangeAssertion over gRPC',
    {
      use: 'grant',
      kinds: KINDS,
      refusal: 'OAUTH_INVALID_GRANT',
      show: (_client, assertion) => refusalTo(server.call(TokenService.method.exchangeAssertion, { assertion })),
    },
  ],
  [
    'the grant jwt-bearer over HTTP',
    {
      use: 'grant',
      kinds: KINDS,
      refusal: 'invalid_grant',
      show: async (_client, assertion) => {
        const { status, body } = await forms.token({ grant_type: GRANT_TYPES.assertion, assertion })
        return status === 200 ? null : String(body['error'])
      },
    },
  ],
  [
    'TestAssertion of a proof',
    { use: 'proof', kinds: KINDS, refusal: TESTED, show: tested(AssertionUse.CLIENT_AUTHENTICATION) },
  ],
  [
    'TestAssertion of a grant',
    { use: 'grant', kinds: KINDS, refusal: TESTED, show: tested(AssertionUse.AUTHORIZATION_GRANT) },
  ],
]

/** Text that is longer than any assertion may be refused as an invalid request. */
const TOO_LONG = ['OAUTH_INVALID_REQUEST', 'invalid_request']

const cases = WAYS.flatMap(([title, way]) => way.kinds.map((kind) => [title, kind, way] as const))

/** Created once for all ways. */
async function forged(kind: Kind, use: Way['use']): Promise<readonly (readonly [string, string])[]> {
  const forgeries = {
    ...FORGERIES,
    ...(kind === 'a JWT' ? FORGERIES_BY_JWT : FORGERIES_BY_SVID),
    ...(use === 'proof' ? FORGED_PROOFS : {}),
  }
  const { target, assertion } = TARGETS[kind]
  const otherUse = use === 'proof' ? 'authorization-grant+jwt' : 'client-authentication+jwt'
  return [
    ['of the type of the other use', await assertion({ genuine: undefined }, { typ: otherUse })],
    ...(await Promise.all(
      Object.entries(forgeries).map(async ([name, forge]) => [name, await forge(target)] as const),
    )),
  ]
}
const FORGED = {
  'a JWT': { proof: await forged('a JWT', 'proof'), grant: await forged('a JWT', 'grant') },
  'a JWT-SVID': { proof: await forged('a JWT-SVID', 'proof'), grant: await forged('a JWT-SVID', 'grant') },
}

describe('the methods that accept assertions', () => {
  it('are all covered by this test', () => {
    expect(METHODS.map(({ localName }) => localName).toSorted()).toEqual(Object.keys(REQUESTS).toSorted())
  })

  it.each(cases)(
    '%s: refuse each forgery of %s without evaluating it, and still accept a valid assertion',
    async (_title, kind, way) => {
      const client = TARGETS[kind]
      const good = await client.assertion()
      // A refusal for another reason, such as an unknown token, shows that the client was authenticated.
      const accepted = await way.show(client, good)
      expect(accepted).not.toBe(way.refusal)
      const evaluations = failedEvaluations()
      const answers = await Promise.all(
        FORGED[kind][way.use].map(async ([name, assertion]) => [name, await way.show(client, assertion)] as const),
      )
      const isRefused = ([name, answer]: (typeof answers)[number]) =>
        answer === way.refusal || (name === 'that is huge' && TOO_LONG.includes(String(answer)))
      expect(answers.filter((answer) => !isRefused(answer))).toEqual([])
      expect(failedEvaluations()).toBe(evaluations)
      expect(await way.show(client, good)).toBe(accepted)
    },
  )
})

describe('an assertion for single use', () => {
  it('is used up for all methods by the first one, and not by TestAssertion', async () => {
    const client = await attacked(
      await jwtPlatform(server, { singleUse: true }),
      await jwtPlatform(server),
      () => `system:sa:shop:${randomUUID()}`,
    )
    for (const use of ['proof', 'grant'] as const) {
      const ways = WAYS.filter(([, way]) => way.use === use && way.kinds.includes('a JWT'))
      const testing = ways.filter(([, { refusal }]) => refusal === TESTED)
      for (const [first, { show, refusal }] of ways.filter((way) => !testing.includes(way))) {
        const assertion = await client.assertion({ jti: randomUUID() })
        for (const [, way] of testing) expect(await way.show(client, assertion), first).toBeNull()
        expect(await show(client, assertion), first).not.toBe(refusal)
        for (const [again, way] of ways) {
          expect([first, again, await way.show(client, assertion)]).toEqual([first, again, way.refusal])
        }
      }
    }
  })
})

describe('the expressions of a rule', () => {
  it('are evaluated for no caller whose credentials are wrong, and once for each other call', async () => {
    const platform = await jwtPlatform(server, { singleUse: true })
    const { target, clientId, assertion } = await attacked(platform, await jwtPlatform(server), () => randomUUID())
    const once = (over: Claims = {}) => assertion({ jti: randomUUID(), ...over })
    const grant = () => signed(platform.pair, { ...target.claims, jti: randomUUID() })
    const overGrpc = async ({ id = clientId, method }: Credentials) => {
      const client = { clientId: id, method }
      return await refusalTo(server.call(TokenService.method.exchangeAssertion, { assertion: await grant(), client }))
    }
    const overHttp = async ({ id = clientId, method: { case: kind, value } }: Credentials) => {
      const proof =
        kind === 'clientSecret'
          ? { client_secret: value }
          : { client_assertion: value, client_assertion_type: ASSERTION_TYPE }
      const fields = { grant_type: GRANT_TYPES.assertion, assertion: await grant(), client_id: id, ...proof }
      return String((await forms.token(fields)).body['error'])
    }
    const byProof = (value: string): Credentials => ({ method: { case: 'clientAssertion', value } })

    const used = byProof(await once())
    expect(await overGrpc(used)).toBe('OAUTH_INVALID_GRANT')
    const evaluations = failedEvaluations()
    const wrong: Readonly<Record<string, Credentials>> = {
      'a wrong secret': { method: { case: 'clientSecret', value: 'wrong' } },
      'an unknown client': { ...byProof(await once()), id: 'nobody-here' },
      'a proof with a wrong signature': byProof(await signed(signingPair('RS256', platform.pair.kid), target.claims)),
      'a proof of an unknown issuer': byProof(await once({ iss: 'https://nobody.example' })),
      'a proof for another server': byProof(await once({ aud: 'https://other.example' })),
      'an expired proof': byProof(await once({ exp: inSeconds(-1) })),
      'a used proof': used,
    }
    for (const [what, credentials] of Object.entries(wrong)) {
      const answers = [what, await overGrpc(credentials), await overHttp(credentials)]
      expect(answers).toEqual([what, 'OAUTH_INVALID_CLIENT', 'invalid_client'])
    }
    const { testAssertion } = TrustService.method
    const weak = await server.registerClient({ scopes: ['qscope:clients.read'] })
    const { token } = await server.call(TokenService.method.mintToken, { client: weak.client })
    for (const [sent, reason] of [
      [{}, 'OAUTH_INVALID_TOKEN'],
      [{ bearer: 'wrong' }, 'OAUTH_INVALID_TOKEN'],
      [{ bearer: token?.accessToken ?? '' }, 'OAUTH_INSUFFICIENT_SCOPE'],
    ] as const) {
      expect(await refusalTo(server.call(testAssertion, { assertion: await grant() }, sent))).toBe(reason)
    }
    expect(failedEvaluations()).toBe(evaluations)

    expect(await overGrpc(byProof(await once()))).toBe('OAUTH_INVALID_GRANT')
    expect(await overHttp(byProof(await once()))).toBe('invalid_grant')
    const { verdict } = await server.call(testAssertion, { assertion: await grant() }, bearer)
    expect(verdict).toBe(Verdict.REFUSED)
    expect(failedEvaluations()).toBe(evaluations + 3)
  })
})
