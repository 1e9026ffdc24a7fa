import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { grpcJsChannel } from '../../packages/client/src/grpc-js.ts'
import { grpcKeySet } from '../../packages/client/src/verification/key-set.ts'
import { offlineVerifier } from '../../packages/client/src/verification/offline-verifier.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type Envoy, hasEnvoy, startConfiguredEnvoy } from '../setup/envoy.ts'
import { freePort } from '../setup/free-port.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { grantsOn } from '../setup/grants.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { documentedExample, placedExample } from './envoy-page.ts'

const AUDIENCE = 'https://orders.example'
const BOTH = Object.freeze({ scopes: ['orders.read'], audiences: [AUDIENCE, 'https://billing.example'] })
/** The context extensions of a route in the example of the page. */
const EXTENSIONS = / +context_extensions:\n(?: +\w+: \S+\n)+/
const { revokeToken } = TokenService.method

/** The example, with the page's context extensions of a route whose bearer tokens are replaced. */
function configuration(): string {
  const example = documentedExample('Configure Envoy')
  expect(example).toMatch(EXTENSIONS)
  return example.replace(EXTENSIONS, documentedExample('Replace the bearer token'))
}

describe.skipIf(!hasEnvoy)('a service behind an Envoy that replaces bearer tokens', () => {
  let database: FreshDatabase
  let server: TestServer
  let envoy: Envoy
  let client: Awaited<ReturnType<TestServer['registerClient']>>
  /** The tokens that reached the service. */
  const reached: string[] = []
  const service = createServer(({ headers }, response) => {
    reached.push(headers.authorization?.replace(/^Bearer /, '') ?? '')
    response.end('orders')
  })

  beforeAll(async () => {
    database = await sqliteFiles.create()
    server = await startServer(database.url, undefined, undefined, {
      QSCOPE_EXT_AUTHZ: 'on',
      QSCOPE_EXT_AUTHZ_PEERS: 'loopback',
    })
    client = await server.registerClient({
      clientId: 'shop',
      ...BOTH,
    })
    await new Promise<void>((listening) => service.listen(0, '127.0.0.1', listening))
    const [port, adminPort] = [await freePort(), await freePort()]
    const { port: servicePort } = service.address() as AddressInfo
    const ports = { 8000: port, 9901: adminPort, 9000: servicePort, 50051: Number(server.address.split(':').at(-1)) }
    envoy = await startConfiguredEnvoy(placedExample(configuration(), ports), port, adminPort)
  })
  afterAll(async () => {
    await envoy.stop()
    service.close()
    await server.stop()
    await database.drop()
  })

  const send = async (bearer: string) => {
    reached.length = 0
    const response = await fetch(`http://${envoy.address}/orders`, { headers: { authorization: `Bearer ${bearer}` } })
    await response.arrayBuffer()
    return { status: response.status, reached: [...reached] }
  }
  const verifier = () => {
    const channel = grpcJsChannel(server.address, { credentials: credentials.createInsecure() })
    onTestFinished(() => channel.close())
    return offlineVerifier({ keys: grpcKeySet(channel), issuer: server.issuer, audience: AUDIENCE })
  }

  it('receives a JWT that it can verify offline instead of the bearer token', async () => {
    const { accessToken } = await grantsOn(server).mint(client, BOTH)
    const { status, reached } = await send(accessToken)
    expect([status, reached.length]).toEqual([200, 1])
    const [value = ''] = reached
    expect(value).not.toContain(accessToken)
    const verified = await verifier().verify({ value, certificate: null })
    expect(verified).toMatchObject({
      clientId: 'shop',
      subject: 'shop',
      scopes: ['orders.read'],
      audiences: [AUDIENCE],
    })
    const { issueTime, expireTime } = verified ?? {}
    expect(Number(expireTime) - Number(issueTime)).toBeLessThanOrEqual(60_000)
    const { rvk } = JSON.parse(Buffer.from(value.split('.')[1] ?? '', 'base64url').toString())
    expect(rvk).toContainEqual(expect.stringMatching(/^[\w-]{22}$/))
  })

  it('receives no request with a revoked bearer token, and its JWT is revoked, too', async () => {
    const grants = grantsOn(server)
    const { accessToken } = await grants.mint(client, BOTH)
    const [value = ''] = (await send(accessToken)).reached
    expect(await grants.isActive(value)).toBe(true)
    await server.call(revokeToken, { client: client.client, token: accessToken })
    expect(await send(accessToken)).toEqual({ status: 401, reached: [] })
    expect(await grants.isActive(value)).toBe(false)
  })
})
