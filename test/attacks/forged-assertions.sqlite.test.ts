import { randomUUID } from 'node:crypto'
import type { DescMethod } from '@bufbuild/protobuf'
import { afterAll, describe, expect, it } from 'vitest'
import { ClientAuthenticationSchema } from '../../src/gen/qscope/v1/client_authentication_pb.ts'
import { AccessTokenFormat, AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { RevocationStart, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { AssertionUse, TrustedIssuerKind, TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { type Claims, inSeconds, jwksOf, type SigningPair, signed, signingPair } from '../setup/assertions.ts'
import { Refused, refusalOf } from '../setup/client.ts'
import { jwtPlatform, type Platform, spiffePlatform, workload } from '../setup/federated.ts'
import { ASSERTION_TYPE, basic, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { ACCESS_TOKEN_TYPE } from '../setup/grants.ts'
import { startServer } from '../setup/server.ts'
import {
  FORGED_PROOFS,
  FORGERIES,
  FORGERIES_BY_CLIENT,
  FORGERIES_BY_JWT,
  FORGERIES_BY_SVID,
  type Target,
} from './forged-assertions.ts'
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

const GRANTS = [GrantType.CLIENT_CREDENTIALS, GrantType.TOKEN_EXCHANGE, GrantType.JWT_BEARER, GrantType.DEVICE_CODE]

/**
 * A client of a trusted platform, by its own registration and by a rule, and the knowledge of the attacker. The expression
 * of the rule fails for all that the attacker makes, so each evaluation of it leaves a line in the log.
 */
async function attacked(platform: Platform, other: Platform, subjectOf: (issuer: string) => string) {
  const client = await workload(server, platform, { subject: subjectOf(platform.issuer), grantTypes: GRANTS })
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
  const known = { pair: platform.pair, claims: client.claims(), other: { ...other, subject: neighbour.subject } }
  const assertion: typeof client.assertion = (over, header) => client.assertion({ genuine: true, ...over }, header)
  return { ...client, assertion, target: await targetOf(known) }
}

type Attacked = Pick<Awaited<ReturnType<typeof attacked>>, 'clientId' | 'proof' | 'assertion' | 'target'>

async function targetOf(known: Omit<Target, 'audience' | 'ownToken'>): Promise<Target> {
  const jwt = await server.registerClient({ config: { accessTokenFormat: AccessTokenFormat.JWT } })
  const { token } = await server.call(TokenService.method.mintToken, { client: jwt.client })
  return { ...known, audience: server.issuer, ownToken: token?.accessToken ?? '' }
}

/** A client that signs its assertions itself, and the knowledge of the attacker. */
async function signing(): Promise<Attacked> {
  const register = async (pair: SigningPair) =>
    await server.registerClient({
      authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
      jwks: jwksOf(pair),
      scopes: ['orders.read'],
      grantTypes: GRANTS,
    })
  const [pair, other] = [signingPair('ES256'), signingPair('ES256')]
  const { clientId } = await register(pair)
  const { clientId: neighbour } = await register(other)
  const claims = (): Claims => ({
    iss: clientId,
    sub: clientId,
    aud: server.issuer,
    jti: randomUUID(),
    iat: inSeconds(0),
    nbf: inSeconds(0),
    exp: inSeconds(240),
  })
  return {
    clientId,
    proof: (value) => ({ clientId, method: { case: 'clientAssertion', value } }),
    assertion: (over = {}, header = {}) => signed(pair, { ...claims(), ...over }, header),
    target: await targetOf({ pair, claims: claims(), other: { issuer: neighbour, subject: neighbour, pair: other } }),
  }
}

const TARGETS = {
  'a JWT': await attacked(await jwtPlatform(server), await jwtPlatform(server), () => `system:sa:shop:${randomUUID()}`),
  'a JWT-SVID': await attacked(
    await spiffePlatform(server),
    await spiffePlatform(server),
    (issuer) => `${issuer}/ns/shop/sa/${randomUUID()}s`,
  ),
  'a JWT of the client itself': await signing(),
} satisfies Readonly<Record<string, Attacked>>
type Kind = keyof typeof TARGETS
const OF_PLATFORMS: readonly Kind[] = ['a JWT', 'a JWT-SVID']
const KINDS: readonly Kind[] = [...OF_PLATFORMS, 'a JWT of the client itself']

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

/** The types of client assertions, and whether `client_id` is beside them. */
const TYPES: readonly (readonly [type: string, isNamed: boolean, kinds: readonly Kind[]])[] = [
  ['jwt-bearer', true, KINDS],
  ['jwt-bearer', false, KINDS],
  ['jwt-spiffe', false, ['a JWT-SVID']],
]

const overHttp = Object.entries(ENDPOINTS).flatMap(([endpoint, send]) =>
  TYPES.map(([type, isNamed, kinds]): [string, Way] => {
    const show: Way['show'] = async ({ clientId }, assertion) => {
      const named = isNamed ? { client_id: clientId } : {}
      const client_assertion_type = `urn:ietf:params:oauth:client-assertion-type:${type}`
      const { status, body } = await send({ ...named, client_assertion: assertion, client_assertion_type })
      return status === 200 ? null : String(body['error'])
    }
    const title = `/oauth2/${endpoint} over HTTP, as ${type} ${isNamed ? 'with' : 'without'} client_id`
    return [title, { use: 'proof', kinds, refusal: 'invalid_client', show }]
  }),
)

const asJson: Way['show'] = async ({ clientId }, clientAssertion) => {
  const response = await fetch(`${server.httpUrl}/qscope.v1.TokenService/MintToken`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client: { clientId, clientAssertion } }),
  })
  const answer: unknown = await response.json()
  if (response.status === 200) return null
  return /"reason":"(\w+)"/.exec(JSON.stringify(answer))?.[1] ?? `status ${response.status}`
}

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
  ['MintToken in JSON over HTTP', { use: 'proof', kinds: KINDS, refusal: 'OAUTH_INVALID_CLIENT', show: asJson }],
  [
    'ExchangeAssertion over gRPC',
    {
      use: 'grant',
      kinds: OF_PLATFORMS,
      refusal: 'OAUTH_INVALID_GRANT',
      show: (_client, assertion) => refusalTo(server.call(TokenService.method.exchangeAssertion, { assertion })),
    },
  ],
  [
    'the grant jwt-bearer over HTTP',
    {
      use: 'grant',
      kinds: OF_PLATFORMS,
      refusal: 'invalid_grant',
      show: async (_client, assertion) => {
        const { status, body } = await forms.token({ grant_type: GRANT_TYPES.assertion, assertion })
        return status === 200 ? null : String(body['error'])
      },
    },
  ],
  [
    'TestAssertion of a proof',
    { use: 'proof', kinds: OF_PLATFORMS, refusal: TESTED, show: tested(AssertionUse.CLIENT_AUTHENTICATION) },
  ],
  [
    'TestAssertion of a grant',
    { use: 'grant', kinds: OF_PLATFORMS, refusal: TESTED, show: tested(AssertionUse.AUTHORIZATION_GRANT) },
  ],
]

/** Text that is longer than any assertion may be refused as an invalid request. */
const TOO_LONG = ['OAUTH_INVALID_REQUEST', 'invalid_request']

const cases = WAYS.flatMap(([title, way]) => way.kinds.map((kind) => [title, kind, way] as const))

const FURTHER = {
  'a JWT': { ...FORGERIES_BY_JWT, ...FORGED_PROOFS },
  'a JWT-SVID': { ...FORGERIES_BY_SVID, ...FORGED_PROOFS },
  'a JWT of the client itself': { ...FORGERIES_BY_JWT, ...FORGERIES_BY_CLIENT },
} satisfies Readonly<Record<Kind, object>>

/** Created once for all ways. */
async function forged(kind: Kind, use: Way['use']): Promise<readonly (readonly [string, string])[]> {
  const { target, assertion } = TARGETS[kind]
  const isGrant = use === 'grant'
  const otherUse = isGrant ? 'client-authentication+jwt' : 'authorization-grant+jwt'
  const forgeries = Object.entries({ ...FORGERIES, ...FURTHER[kind] }).filter(
    ([name]) => !(isGrant && name in FORGED_PROOFS),
  )
  return [
    ['of the type of the other use', await assertion({ genuine: undefined }, { typ: otherUse })],
    ...(await Promise.all(forgeries.map(async ([name, forge]) => [name, await forge(target)] as const))),
  ]
}
const forgedBy = async (kind: Kind) => ({ proof: await forged(kind, 'proof'), grant: await forged(kind, 'grant') })
const FORGED = {
  'a JWT': await forgedBy('a JWT'),
  'a JWT-SVID': await forgedBy('a JWT-SVID'),
  'a JWT of the client itself': await forgedBy('a JWT of the client itself'),
} satisfies Readonly<Record<Kind, object>>

describe('the methods that accept assertions', () => {
  it('are all covered by this test', () => {
    expect(METHODS.map(({ localName }) => localName).toSorted()).toEqual(Object.keys(REQUESTS).toSorted())
  })

  it.each(cases)(
    '%s: refuse each forgery of %s without evaluating it, and still accept a valid assertion',
    async (_title, kind, way) => {
      const client = TARGETS[kind]
      // A refusal for another reason, such as an unknown token, shows that the client was authenticated.
      const accepted = await way.show(client, await client.assertion())
      expect(accepted).not.toBe(way.refusal)
      const evaluations = failedEvaluations()
      const answers = await Promise.all(
        FORGED[kind][way.use].map(async ([name, assertion]) => [name, await way.show(client, assertion)] as const),
      )
      const isRefused = ([name, answer]: (typeof answers)[number]) =>
        answer === way.refusal || (name === 'that is huge' && TOO_LONG.includes(String(answer)))
      expect(answers.filter((answer) => !isRefused(answer))).toEqual([])
      expect(failedEvaluations()).toBe(evaluations)
      expect(await way.show(client, await client.assertion())).toBe(accepted)
    },
  )
})

describe('an assertion for single use', () => {
  const ONCE = {
    'of a platform': async () => {
      const platform = await jwtPlatform(server, { singleUse: true })
      return await attacked(platform, await jwtPlatform(server), () => `system:sa:shop:${randomUUID()}`)
    },
    'of the client itself': signing,
  }
  it.each([
    ['of a platform', 'proof', 'a JWT'],
    ['of a platform', 'grant', 'a JWT'],
    ['of the client itself', 'proof', 'a JWT of the client itself'],
  ] as const)(
    '%s, as a %s, is used up for all methods by the first one, and not by TestAssertion',
    async (whose, use, kind) => {
      const client = await ONCE[whose]()
      const ways = WAYS.filter(([, way]) => way.use === use && way.kinds.includes(kind))
      const testing = ways.filter(([, { refusal }]) => refusal === TESTED)
      for (const [first, { show, refusal }] of ways.filter((way) => !testing.includes(way))) {
        const assertion = await client.assertion({ jti: randomUUID() })
        for (const [, way] of testing) expect(await way.show(client, assertion), first).toBeNull()
        expect(await show(client, assertion), first).not.toBe(refusal)
        for (const [again, way] of ways) {
          expect([first, again, await way.show(client, assertion)]).toEqual([first, again, way.refusal])
        }
      }
    },
  )
})

describe('an assertion that authenticates a client', () => {
  it.each(KINDS)('is no subject or actor token, over gRPC and HTTP: %s', async (kind) => {
    const client = TARGETS[kind]
    const { client: credentials, clientId } = await server.registerClient({
      scopes: ['orders.read'],
      grantTypes: GRANTS,
    })
    const { token } = await server.call(TokenService.method.mintToken, { client: credentials })
    const own = token?.accessToken ?? ''
    for (const [subjectToken, actorToken, field] of [
      [await client.assertion(), '', 'subject_token'],
      [own, await client.assertion(), 'actor_token'],
    ] as const) {
      const actorTokenType = actorToken === '' ? '' : ACCESS_TOKEN_TYPE
      const request = { subjectToken, subjectTokenType: ACCESS_TOKEN_TYPE, actorToken, actorTokenType }
      const refused = await refusalOf(
        server.call(TokenService.method.exchangeToken, { client: credentials, ...request }),
      )
      expect([refused.reason, refused.violations]).toEqual(['OAUTH_INVALID_REQUEST', [field]])
      const { status, body } = await forms.token(
        {
          grant_type: GRANT_TYPES.exchange,
          subject_token: subjectToken,
          subject_token_type: ACCESS_TOKEN_TYPE,
          ...(actorToken === '' ? {} : { actor_token: actorToken, actor_token_type: ACCESS_TOKEN_TYPE }),
        },
        basic(clientId, credentials.method.value),
      )
      expect([status, body['error']]).toEqual([400, 'invalid_request'])
      expect(body['error_description']).toContain(field)
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

describe('a key set with two keys of one name', () => {
  it.each([TrustedIssuerKind.JWT, TrustedIssuerKind.SPIFFE])('is no key set of an issuer (kind %i)', async (kind) => {
    const pair = signingPair('ES256')
    const keys = [pair, signingPair('ES256', pair.kid)].map(({ publicJwk }) =>
      kind === TrustedIssuerKind.SPIFFE ? { ...publicJwk, use: 'jwt-svid' } : publicJwk,
    )
    const trustDomain = `${randomUUID()}.example`
    const named =
      kind === TrustedIssuerKind.SPIFFE
        ? { issuer: `spiffe://${trustDomain}`, trustDomain }
        : { issuer: `https://${trustDomain}` }
    const create = (set: readonly object[]) =>
      server.call(
        TrustService.method.createTrustedIssuer,
        { trustedIssuer: { ...named, kind, keys: { case: 'jwks', value: JSON.stringify({ keys: set }) } } },
        bearer,
      )
    const refused = await refusalOf(create(keys))
    expect(refused.details.badRequest?.fieldViolations[0]?.description).toContain('two keys with the same kid')
    await create(keys.slice(1))
  })
})
