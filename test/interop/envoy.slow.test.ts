import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Health, HealthCheckResponse_ServingStatus as Serving } from '../../src/gen/grpc/health/v1/health_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type Connection, connect, Refused } from '../setup/client.ts'
import { type Envoy, hasEnvoy, startEnvoy } from '../setup/envoy.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'

const CALLERS = 40
const ROUNDS = 10

describe.skipIf(!hasEnvoy)('callers that share a connection of Envoy', () => {
  let database: FreshDatabase
  let server: TestServer
  let envoy: Envoy
  const callers: { readonly clientId: string; readonly secret: string; readonly connection: Connection }[] = []

  beforeAll(async () => {
    database = await sqliteFiles.create()
    server = await startServer(database.url)
    envoy = await startEnvoy(Number(server.address.split(':').at(-1)))
    for (let index = 0; index < CALLERS; index += 1) {
      const { clientId, clientSecret } = await server.registerClient({ clientId: `caller-${index}` })
      callers.push({ clientId, secret: clientSecret, connection: connect(envoy.address, { ownSocket: true }) })
    }
  })
  afterAll(async () => {
    for (const { connection } of callers) connection.close()
    await envoy.stop()
    await server.stop()
    await database.drop()
  })

  const credentials = (clientId: string, secret: string) => ({
    clientId,
    method: { case: 'clientSecret' as const, value: secret },
  })

  it('each get and verify tokens of their own', async () => {
    const mintAndVerify = async ({ clientId, secret, connection }: (typeof callers)[number]) => {
      const client = credentials(clientId, secret)
      const { token } = await connection.call(TokenService.method.mintToken, { client })
      const { claims } = await connection.call(TokenService.method.verifyToken, {
        client,
        token: token?.accessToken ?? '',
      })
      return claims?.clientId
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      expect(await Promise.all(callers.map(mintAndVerify))).toEqual(callers.map(({ clientId }) => clientId))
    }
    expect(await envoy.counter('cluster.qscope.upstream_cx_total')).toBe(1)
    expect(await envoy.counter('http.callers.downstream_cx_total')).toBe(CALLERS)
  })

  it('are refused with the secret of another client that calls on the same connection', async () => {
    const calls = callers.map(async ({ clientId, secret, connection }, index) => {
      const isHonest = index % 2 === 0
      const client = credentials(clientId, isHonest ? secret : (callers[index - 1]?.secret ?? ''))
      const minted = connection.call(TokenService.method.mintToken, { client })
      return await minted.then(
        () => 'minted',
        (error: unknown) => (error instanceof Refused ? error.reason : String(error)),
      )
    })
    const expected = callers.map((_, index) => (index % 2 === 0 ? 'minted' : 'OAUTH_INVALID_CLIENT'))
    expect(await Promise.all(calls)).toEqual(expected)
  })

  it('read streams at the same time, and a cancelled stream does not end the others', async () => {
    const streams = callers.map(({ connection }) =>
      connection.stream(Health.method.watch, { service: 'qscope.v1.TokenService' }),
    )
    const statuses = () => streams.map(({ items }) => items.map(({ status }) => status))
    await expect.poll(statuses).toEqual(callers.map(() => [Serving.SERVING]))
    const [staying, ...leaving] = streams
    for (const stream of leaving) stream.cancel()
    server.app.state.setServing(false)
    const seen = () => staying?.items.map(({ status }) => status)
    await expect.poll(seen).toEqual([Serving.SERVING, Serving.NOT_SERVING])
    server.app.state.setServing(true)
    await expect.poll(seen).toEqual([Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING])
    staying?.cancel()
    expect(await envoy.counter('cluster.qscope.upstream_cx_total')).toBe(1)
  })

  it('receive the status and the reason of a refusal', async () => {
    const [caller] = callers
    const refused = caller?.connection.call(TokenService.method.mintToken, {
      client: credentials(caller.clientId, caller.secret),
      scopes: ['never.granted'],
    })
    await expect(refused).rejects.toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'OAUTH_INVALID_SCOPE' })
  })
})
