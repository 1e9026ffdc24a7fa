import type { DescMethod } from '@bufbuild/protobuf'
import { beforeAll, expect, it } from 'vitest'
import { PERMISSIONS } from '../../src/domain/scopes.ts'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { connect, Refused, type Sent } from '../setup/client.ts'
import type { TestServer } from '../setup/server.ts'
import { LIMITS_OFF } from './limits-off.ts'
import { accessOf, isServerStream, isUnary, methodsOf, nameOf, reflectServices } from './reflected-methods.ts'

const { deleteClient, disableClient } = ClientService.method
const { mintToken, revokeToken } = TokenService.method

/** All services of a server. A new service must be added here deliberately. */
const SERVICES = [
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
  'qscope.v1.AuditService',
  'qscope.v1.ClientService',
  'qscope.v1.DeviceService',
  'qscope.v1.KeyService',
  'qscope.v1.ServerService',
  'qscope.v1.TokenService',
  'qscope.v1.TrustService',
  'qscope.v1.UsageService',
  'qscope.v1.UserService',
]
const OPEN_TO_ANYONE = [
  'qscope.v1.ServerService/GetServerMetadata',
  'qscope.v1.TokenService/ExchangeAssertion',
  'qscope.v1.TokenService/GetJsonWebKeySet',
  'qscope.v1.TokenService/GetProtectedResourceMetadata',
  'qscope.v1.TokenService/RevokeLeakedToken',
]

type Way = Sent & { readonly client?: { readonly clientId: string; readonly method?: object } }

/** The outcome of a call with an empty request: its reason, the status of the transport, or `OK`. */
async function outcomeOf(server: TestServer, method: DescMethod, { client, ...sent }: Way): Promise<string> {
  // The method comes from reflection, so the compiler does not know its fields.
  const request: Record<string, unknown> = client === undefined ? {} : { client }
  try {
    if (isUnary(method)) await server.call(method, request, sent)
    else if (isServerStream(method)) {
      const stream = server.stream(method, request, sent)
      // The first message shows that the caller was admitted, so the rest of the stream does not matter.
      await Promise.race([stream.first, stream.ended])
      stream.cancel()
    } else throw new Error(`${nameOf(method)} is of a kind that nobody has thought of`)
    return 'OK'
  } catch (error) {
    // A refusal of the presented token shows that the caller was admitted.
    if (error instanceof Refused && error.metadata['token'] === 'presented') return 'LET_IN'
    if (error instanceof Refused) return error.reason === '' ? error.status : error.reason
    throw error
  }
}

const basic = (clientId: string, secret: string): Way => ({ basic: [clientId, secret] })

onEveryBackend(
  'the access to methods',
  (server) => {
    let methods: readonly DescMethod[] = []
    /** Bearer tokens that were valid once and are inactive now. */
    const dead = new Map<string, string>()
    /** Tokens by the one permission that they lack; they have all others. */
    const lacking = new Map<string, string>()
    /** A client with valid credentials, every grant and no permission. */
    let good: Awaited<ReturnType<TestServer['registerClient']>>
    let disabled: typeof good

    const grantTypes = [
      GrantType.CLIENT_CREDENTIALS,
      GrantType.AUTHORIZATION_CODE,
      GrantType.REFRESH_TOKEN,
      GrantType.DEVICE_CODE,
      GrantType.TOKEN_EXCHANGE,
      GrantType.JWT_BEARER,
    ]
    const redirectUris = ['https://app.example/callback']

    beforeAll(async () => {
      methods = methodsOf(await reflectServices(server.address), 'qscope.')
      const bearer = { bearer: server.admin.token }
      const mint = async (client: object, more: object = {}) =>
        (await server.call(mintToken, { client, ...more })).token?.accessToken ?? ''
      const almighty = () => server.registerClient({ scopes: [...PERMISSIONS] })
      const holder = await almighty()
      for (const permission of PERMISSIONS) {
        const scopes = PERMISSIONS.filter((each) => each !== permission)
        lacking.set(permission, await mint(holder.client, { scopes }))
      }
      good = await server.registerClient({
        grantTypes,
        redirectUris,
        scopes: ['orders'],
        config: { allowOwnRotation: true },
      })
      disabled = await server.registerClient({ grantTypes, redirectUris, scopes: [...PERMISSIONS] })
      const deleted = await almighty()
      dead.set('a token of a disabled client', await mint(disabled.client))
      dead.set('a token of a deleted client', await mint(deleted.client))
      dead.set('an expired token', await mint(holder.client, { lifetime: { seconds: 1n } }))
      dead.set('a revoked token', await mint(holder.client))
      dead.set('a token that nobody issued', server.unknownToken())
      dead.set('no token at all', 'x'.repeat(200))
      await server.call(disableClient, { clientId: disabled.clientId }, bearer)
      await server.call(deleteClient, { clientId: deleted.clientId }, bearer)
      await server.call(revokeToken, { client: holder.client, token: dead.get('a revoked token') ?? '' })
      server.clock.advance(2_000)
    })

    const withPermission = () => methods.filter((method) => accessOf(method).permission !== '')
    const asClient = () => methods.filter((method) => accessOf(method).clientAuthentication)

    /** Fails with the names of all methods and credentials that are not refused as expected. */
    async function allRefuse(
      asked: readonly DescMethod[],
      ways: (method: DescMethod) => ReadonlyMap<string, Way>,
      expected: (method: DescMethod) => string,
    ) {
      expect(asked.length).toBeGreaterThan(0)
      for (const method of asked) {
        const outcomes = Object.fromEntries(
          await Promise.all(
            [...ways(method)].map(async ([name, way]) => [name, await outcomeOf(server, method, way)] as const),
          ),
        )
        const wanted = Object.fromEntries(Object.keys(outcomes).map((name) => [name, expected(method)]))
        expect({ [nameOf(method)]: outcomes }).toEqual({ [nameOf(method)]: wanted })
      }
    }
    const unproved = (method: DescMethod) =>
      accessOf(method).clientAuthentication ? 'OAUTH_INVALID_CLIENT' : 'OAUTH_INVALID_TOKEN'

    it('serves exactly these services', async () => {
      expect((await reflectServices(server.address)).map(({ typeName }) => typeName)).toEqual(SERVICES)
      expect(methods.length).toBeGreaterThan(40)
    })

    it('opens exactly these methods to everybody', () => {
      const open = methods.filter((method) => accessOf(method).anyone)
      expect(open.map(nameOf).sort()).toEqual(OPEN_TO_ANYONE)
    })

    it('every method for clients or bearers admits its intended callers', async () => {
      for (const method of withPermission()) {
        const outcome = await outcomeOf(server, method, { bearer: server.admin.token })
        expect([nameOf(method), outcome]).not.toEqual([nameOf(method), expect.stringMatching(/TOKEN|CLIENT$|SCOPE/)])
      }
      for (const method of asClient()) {
        for (const way of [{ client: good.client }, basic(good.clientId, good.clientSecret)]) {
          const outcome = await outcomeOf(server, method, way)
          expect([nameOf(method), outcome]).not.toEqual([nameOf(method), expect.stringMatching(/TOKEN|CLIENT$/)])
        }
      }
    })

    it('every other method refuses callers without credentials', async () => {
      const closed = methods.filter((method) => !accessOf(method).anyone)
      await allRefuse(closed, () => new Map([['nothing', {}]]), unproved)
    })

    it('every method with a permission refuses a bearer with all the others', async () => {
      await allRefuse(
        withPermission(),
        (method) => new Map([['all but it', { bearer: lacking.get(accessOf(method).permission) ?? '' }]]),
        () => 'OAUTH_INSUFFICIENT_SCOPE',
      )
    })

    it('every method with a permission refuses inactive tokens', async () => {
      const ways = new Map([...dead].map(([name, bearer]) => [name, { bearer }]))
      await allRefuse(
        withPermission(),
        () => ways,
        () => 'OAUTH_INVALID_TOKEN',
      )
    })

    it('every method with a permission alone refuses the credentials of the client that holds it', async () => {
      const { clientId, clientSecret } = server.admin
      await allRefuse(
        withPermission().filter((method) => !accessOf(method).clientAuthentication),
        () => new Map([['Basic', basic(clientId, clientSecret)]]),
        () => 'OAUTH_INVALID_TOKEN',
      )
    })

    it('every method of a client refuses wrong secrets, disabled and unknown clients', async () => {
      const wrong = disabled.clientSecret
      const secret = (clientId: string, value: string): Way => ({
        client: { clientId, method: { case: 'clientSecret', value } },
      })
      const ways = new Map<string, Way>([
        ['a wrong secret', secret(good.clientId, wrong)],
        ['a wrong secret, Basic', basic(good.clientId, wrong)],
        ['no secret', { client: { clientId: good.clientId } }],
        ['an empty secret, Basic', basic(good.clientId, '')],
        [
          'a method it is not registered for',
          { client: { clientId: good.clientId, method: { case: 'clientAssertion', value: good.clientSecret } } },
        ],
        ['a disabled client', secret(disabled.clientId, wrong)],
        ['a disabled client, Basic', basic(disabled.clientId, wrong)],
        ['an unknown client', secret('nobody', wrong)],
        ['an unknown client, Basic', basic('nobody', wrong)],
      ])
      await allRefuse(
        asClient(),
        () => ways,
        () => 'OAUTH_INVALID_CLIENT',
      )
    })

    it('every method for clients only refuses bearer tokens with all permissions', async () => {
      await allRefuse(
        asClient().filter((method) => accessOf(method).permission === ''),
        () => new Map([['bearer', { bearer: server.admin.token }]]),
        () => 'OAUTH_INVALID_CLIENT',
      )
    })

    it('every method refuses two valid kinds of credentials at once', async () => {
      await allRefuse(
        asClient(),
        () =>
          new Map<string, Way>([
            ['a bearer beside', { client: good.client, bearer: server.admin.token }],
            ['Basic beside', { client: good.client, basic: [good.clientId, good.clientSecret] }],
          ]),
        () => 'OAUTH_INVALID_REQUEST',
      )
    })

    it('an unknown method is refused by the transport', async () => {
      const connection = connect(server.address, { ownSocket: true })
      const method = { ...mintToken, name: 'MintTokens' }
      await expect(connection.call(method, {})).rejects.toMatchObject({ status: 'UNIMPLEMENTED', reason: '' })
      connection.close()
    })
  },
  { variables: LIMITS_OFF },
)
